// What both service workers of `worker.test.js` do: they decline calls, and say what becomes of their own.

export function work(Wigwag, name) {
  const servers = new URL(globalThis.location.href).searchParams.get('server');
  const opened = Wigwag.open({ servers, identity: 'guest', RTCPeerConnection: class {}, accept: () => `no, says ${name}` });
  opened.then((w) => w.on('signal', ({ from }) => w.connect(from).catch(({ reason }) => w.signal(from, 'failed', reason))), () => {});
  globalThis.addEventListener('message', (event) => {
    const told = opened.then(({ id }) => ({ id }), ({ message }) => ({ error: message })).then((answer) => event.source.postMessage(answer));
    event.waitUntil(told);
  });
}
