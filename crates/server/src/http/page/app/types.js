// The SDK's types, as the modules beside this one name them. At run time the SDK comes from the server (`main.js`).

/**
 * @typedef {import('../../../../../../sdk/web/index.js').Wigwag} Wigwag
 * @typedef {import('../../../../../../sdk/web/index.js').Room} Room
 * @typedef {import('../../../../../../sdk/web/index.js').Connection} Connection
 * @typedef {import('../../../../../../sdk/web/index.js').Channel} Channel
 * @typedef {import('../../../../../../sdk/web/room.js').Member} Member
 * @typedef {import('../../../../../../sdk/web/terms.js').Status} Status
 *
 * @typedef {typeof import('../../../../../../sdk/web/files.js')} FilesSdk
 * @typedef {import('../../../../../../sdk/web/files.js').FilePlace} FilePlace
 * @typedef {import('../../../../../../sdk/web/files.js').Meeting} Meeting
 * @typedef {import('../../../../../../sdk/web/files.js').Parcel} Parcel
 * @typedef {import('../../../../../../sdk/web/files.js').Received} Received
 * @typedef {import('../../../../../../sdk/web/files.js').Receiving} Receiving
 * @typedef {import('../../../../../../sdk/web/files.js').Sending} Sending
 * @typedef {import('../../../../../../sdk/web/files.js').Source} Source
 * @typedef {import('../../../../../../sdk/web/files.js').WordCode} WordCode
 */

export {};
