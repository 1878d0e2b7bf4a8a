import { Wigwag } from '../../index.js';
import { work } from './worker.js';

work(Wigwag, 'index.js');
