import { Wigwag } from '../../all.js';
import { work } from './worker.js';

work(Wigwag, 'all.js');
