// The SDK's types, as the modules beside this one name them. At run time the SDK comes from the server (`main.js`).

/**
 * @typedef {import('../../../../../../sdk/web/index.js').Wigwag} Wigwag
 * @typedef {import('../../../../../../sdk/web/index.js').Room} Room
 * @typedef {import('../../../../../../sdk/web/index.js').Connection} Connection
 * @typedef {import('../../../../../../sdk/web/index.js').Channel} Channel
 * @typedef {import('../../../../../../sdk/web/room.js').Member} Member
 * @typedef {import('../../../../../../sdk/web/terms.js').Status} Status
 */

export {};
