// peerjs-server as its makers start it, on the port that is given.
import { PeerServer } from "peer";

PeerServer({ host: "127.0.0.1", port: Number(process.argv[2]), path: "/", concurrent_limit: 1_000_000 });
