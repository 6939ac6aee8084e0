/**
 * Corrects the PostgreSQL driver in node_modules, in plain JavaScript because npm runs it after it has
 * installed the packages.
 *
 * postgres 3.4.9, the latest, does not survive the loss of a connection (porsager/postgres#1154, #1208 and
 * others), which a restart of the server, a fail-over or a broken network causes. test/db/connect.test.ts
 * cuts connections of transactions and shows four faults:
 *   1. A transaction goes on after its connection is lost: its next statements run on the connection that
 *      replaced the old one, each for itself. So a part of a transaction is committed although the
 *      transaction failed.
 *   2. The rollback of such a transaction stays in the queue of answers. From then on each query on that
 *      connection gets the answer to the next one, or none.
 *   3. Bytes that were not sent yet stay in the buffer and their timer counts as set: for most of a minute
 *      the connection cannot be opened again.
 *   4. A write to a lost connection throws where no caller can catch it, and a connection that is lost
 *      while it requests the types of arrays rejects where no caller listens. Either ends the process.
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const VERSION = '3.4.9'
/** Property of a corrected driver. `db/connect.ts` refuses a driver without it. */
const MARK = 'endsLostTransactions'

/** Texts that each stand once in a file, and their replacements. */
const CHANGES = {
  'src/connection.js': [
    // 2, 4: a lost connection gets no query. The answer is true, so that the pool does not move it to another
    // queue.
    [
      `      return queryError(q, Errors.connection('CONNECTION_DESTROYED', options))

    if (stream)`,
      `      return queryError(q, Errors.connection('CONNECTION_DESTROYED', options))

    if (!socket || socket.destroyed)
      return queryError(q, Errors.connection('CONNECTION_CLOSED', options)), true

    if (stream)`,
    ],
    // 4
    [
      `  function nextWrite(fn) {
    const x`,
      `  function nextWrite(fn) {
    if (!socket) {
      chunk = nextWriteTimer = null
      return false
    }
    const x`,
    ],
    [`        return fetchArrayTypes()`, `        return fetchArrayTypes().catch(() => {})`],
    // 3
    [
      `    clearImmediate(nextWriteTimer)
    if (socket) {`,
      `    clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    if (socket) {`,
    ],
    [
      `    clearImmediate(nextWriteTimer)
    socket.removeListener('data', data)`,
      `    clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    socket.removeListener('data', data)`,
    ],
    // 2: queries may have come after an error too, and their remains must not meet the next connection.
    [
      `    !hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
`,
      `    ;(query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
    query = results = errorResponse = null
    result = new Result()
`,
    ],
  ],
  'src/index.js': [
    [
      `  Object.assign(sql, {
    get parameters()`,
      `  Object.assign(sql, {
    ${MARK}: true,
    get parameters()`,
    ],
    // 1
    [
      `      , prepare = null

    try {`,
      `      , prepare = null
      , lost = null

    try {`,
    ],
    [
      `        new Promise((_, reject) => connection.onclose = reject)`,
      `        new Promise((_, reject) => connection.onclose = e => {
          lost = e
          while (queries.length)
            queries.shift().reject(e)
          reject(e)
        })`,
    ],
    [
      `        q.catch(e => uncaughtError || (uncaughtError = e))
        c.queue === full`,
      `        q.catch(e => uncaughtError || (uncaughtError = e))
        if (lost)
          return q.reject(lost)
        c.queue === full`,
    ],
  ],
}

/**
 * Corrects the files that are not corrected yet.
 *
 * @throws Error when the driver has another version than this is for.
 */
export function patchPostgres(directory = new URL('../node_modules/postgres/', import.meta.url)) {
  const manifest = new URL('package.json', directory)
  if (!existsSync(manifest)) return
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
  if (version !== VERSION)
    throw new Error(
      `local/patch-postgres.mjs is for postgres ${VERSION}, and ${version} is installed: check whether the driver was corrected`,
    )
  for (const [name, changes] of Object.entries(CHANGES)) {
    const file = new URL(name, directory)
    const before = readFileSync(file, 'utf8')
    if (changes.every(([, wanted]) => before.includes(wanted))) continue
    let text = before
    for (const [found, wanted] of changes) {
      if (text.split(found).length !== 2)
        throw new Error(
          `local/patch-postgres.mjs does not fit ${fileURLToPath(file)}: install the packages again (npm ci)`,
        )
      text = text.replace(found, () => wanted)
    }
    // A rename replaces the file at once, so that a process that starts now reads a whole file.
    const part = new URL(`${file.href}.${process.pid}`)
    writeFileSync(part, text)
    renameSync(part, file)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) patchPostgres()
