/**
 * A way to PostgreSQL that ends at a chosen commit, as it does for a process that is killed there: before the commit has left
 * it, or when it is done and the answer on its way back. What comes between two commits leaves no trace in the database (nor
 * does a question by itself, which is not counted), so these are all the moments there are.
 */

import { randomBytes } from 'node:crypto'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Sql } from '../../../db/connect.js'

export interface Cut {
  /** The first is 1. A statement outside of a transaction that may write is a commit too. */
  readonly commit: number
  readonly side: 'before' | 'after'
}

export interface CutWire {
  readonly sql: Sql
  /** Commits that came so far. */
  commits(): number
  /** Settles when it was cut, and the server has rolled back what was open. */
  readonly dead: Promise<void>
  close(): Promise<void>
}

/** What the client sends up to a Sync is answered up to a ReadyForQuery. */
interface Group {
  readonly text: string
  readonly runs: boolean
}

const CODE = { parse: 'P', bind: 'B', execute: 'E', query: 'Q', sync: 'S', ready: 'Z' } as const
/** A statement that writes nothing: our functions that write are called inside of transactions. */
const QUESTION = /^\s*select(?!.*pg_notify)/is
const POOL = 4

/** @param admin - Another way to the same server, to see whose connections are left. */
export async function openCutWire(url: string, admin: Sql, cut: Cut | null): Promise<CutWire> {
  const target = new URL(url)
  const [port, host] = [Number(target.port), target.hostname]
  const name = `wire-${randomBytes(4).toString('hex')}`
  const sockets = new Set<Socket>()
  let commits = 0
  let died: () => void = () => {}
  let isDead = false
  const dead = new Promise<void>((resolve) => {
    died = resolve
  }).then(() => untilGone(admin, name))

  function die(): void {
    isDead = true
    for (const socket of sockets) socket.destroy()
    server.close()
    died()
  }

  const server: Server = createServer((client) => {
    if (isDead) {
      client.destroy()
      return
    }
    const upstream = dial(port, host)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    const texts = new Map<string, string>()
    /** Not answered yet; true is the one whose answer is lost. The start-up comes first. */
    const unanswered: boolean[] = [false]
    let inTransaction = false
    let open: Buffer[] = []
    let group: Group = { text: '', runs: false }

    /** @returns False when everything is over. */
    function finish(): boolean {
      const isCommit = /^(commit|rollback)/i.test(group.text)
      const counts = group.runs && !/^(begin|rollback)/i.test(group.text)
      let lost = false
      if (counts && (isCommit || (!inTransaction && !QUESTION.test(group.text)))) {
        commits += 1
        if (commits === cut?.commit && cut.side === 'before') {
          die()
          return false
        }
        lost = commits === cut?.commit
      }
      if (/^begin/i.test(group.text)) inTransaction = true
      else if (isCommit) inTransaction = false
      unanswered.push(lost)
      upstream.write(Buffer.concat(open))
      open = []
      group = { text: '', runs: false }
      return true
    }

    let started = false
    frames(
      client,
      () => started,
      (frame) => {
        if (!started) {
          started = true
          upstream.write(frame)
          return
        }
        open.push(frame)
        const code = String.fromCharCode(frame[0] ?? 0)
        if (code === CODE.parse) {
          const [statement = '', text = ''] = strings(frame)
          texts.set(statement, text.trim())
          group = { ...group, text: group.text || text.trim() }
        } else if (code === CODE.bind) {
          const [, statement = ''] = strings(frame)
          group = { ...group, text: group.text || (texts.get(statement) ?? '') }
        } else if (code === CODE.execute) group = { ...group, runs: true }
        else if (code === CODE.query) group = { text: (strings(frame)[0] ?? '').trim(), runs: true }
        if (code === CODE.query || code === CODE.sync) finish()
        else if (!Object.values<string>(CODE).includes(code)) {
          // Passwords, Describe, Flush, Close: whoever waits for an answer in the middle of a group gets it.
          upstream.write(Buffer.concat(open))
          open = []
        }
      },
    )
    frames(
      upstream,
      () => true,
      (frame) => {
        const lost = unanswered[0] === true
        if (String.fromCharCode(frame[0] ?? 0) === CODE.ready) unanswered.shift()
        if (!lost) client.write(frame)
        else if (String.fromCharCode(frame[0] ?? 0) === CODE.ready) die()
      },
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  target.port = String(typeof address === 'object' ? address?.port : 0)
  const sql = connect(target.href, { max: POOL, name })
  return {
    sql,
    commits: () => commits,
    dead,
    async close() {
      await sql.end({ timeout: isDead ? 0 : 1 })
      for (const socket of sockets) socket.destroy()
      if (!isDead) server.close()
    },
  }
}

/** Calls back for each whole message; the first of a client has no code before its length. */
function frames(socket: Socket, hasCode: () => boolean, each: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (!socket.destroyed) {
      const offset = hasCode() ? 1 : 0
      if (rest.length < offset + 4) return
      const length = offset + rest.readInt32BE(offset)
      if (rest.length < length) return
      const frame = rest.subarray(0, length)
      rest = rest.subarray(length)
      each(frame)
    }
  })
}

/** The texts at the beginning of a message, each of which ends with a zero byte. */
function strings(frame: Buffer): string[] {
  return frame.subarray(5).toString('latin1').split('\0')
}

async function untilGone(admin: Sql, name: string): Promise<void> {
  while ((await admin`SELECT 1 FROM pg_stat_activity WHERE application_name = ${name}`).length > 0)
    await sleep(2)
}
