import { Peer } from 'peerjs';

import { hear, once } from './hear.js';

Object.assign(globalThis, { Peer, answering, film, hear, once, talk, watch });

/** Takes a data connection of either side into use: `conn`, and `heard` for what comes through it. */
function talk(connection) {
  globalThis.conn = connection;
  globalThis.heard = hear(connection, 'data');
  return connection.open ? Promise.resolve() : once(connection, 'open');
}

/** Takes the next data connection that others open to `peer`; `reached` says when it is open. */
function answering(peer) {
  globalThis.reached = once(peer, 'connection').then(talk);
}

/** A stream with a picture that moves. */
function film() {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [64, 48];
  const brush = canvas.getContext('2d');
  setInterval(() => {
    brush.fillStyle = `hsl(${performance.now() % 360} 90% 50%)`;
    brush.fillRect(0, 0, 64, 48);
  }, 40);
  return canvas.captureStream(25);
}

/** How large the pictures are that arrive through a call. */
async function watch(call) {
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = await once(call, 'stream');
  const loaded = new Promise((resolve) => video.addEventListener('loadeddata', resolve));
  await video.play();
  await loaded;
  return { width: video.videoWidth, height: video.videoHeight };
}
