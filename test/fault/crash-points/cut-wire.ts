/**
 * A proxy to PostgreSQL that cuts the connection at a chosen commit, as a process that is killed there loses
 * it: before the commit reaches the server, or after the commit while its answer is on the way. Nothing
 * between two commits leaves a trace in the database, and neither does a SELECT by itself, which is not
 * counted. So these are all the moments at which a process can die.
 */

import { randomBytes } from 'node:crypto'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Sql } from '../../../db/connect.js'

export interface Cut {
  /** Number of the commit, from 1. A statement that may write outside of a transaction is a commit too. */
  readonly commit: number
  readonly side: 'before' | 'after'
}

export interface CutWire {
  readonly sql: Sql
  /** Returns the number of commits so far. */
  commits(): number
  /** Settles when the wire was cut and the server has rolled back open transactions. */
  readonly dead: Promise<void>
  close(): Promise<void>
}

/** The messages that a client sends up to a Sync; the server answers them up to a ReadyForQuery. */
interface Group {
  readonly text: string
  readonly runs: boolean
}

const CODE = { parse: 'P', bind: 'B', execute: 'E', query: 'Q', sync: 'S', ready: 'Z' } as const
/** A statement that writes nothing. Functions of ours that write are called inside transactions. */
const READ_ONLY = /^\s*(listen|select(?!.*pg_notify))/is
const POOL = 4

/**
 * Opens the proxy. @param admin - A direct connection to the same server, which shows the connections that
 * are left.
 */
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
    /**
     * Groups without an answer yet. `true` marks the group whose answer is lost. The start-up comes first.
     */
    const unanswered: boolean[] = [false]
    let inTransaction = false
    let open: Buffer[] = []
    let group: Group = { text: '', runs: false }

    /** Ends a group and passes it on. @returns `false` when the wire was cut. */
    function finish(): boolean {
      const isCommit = /^(commit|rollback)/i.test(group.text)
      const counts = group.runs && !/^(begin|rollback)/i.test(group.text)
      let lost = false
      if (counts && (isCommit || (!inTransaction && !READ_ONLY.test(group.text)))) {
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
          // A client may wait for the answer to a password, Describe, Flush or Close in the middle of a
          // group.
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

/** Calls back for each whole message. The first message of a client has no code before its length. */
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

/** Returns the texts at the beginning of a message, each of which ends with a zero byte. */
function strings(frame: Buffer): string[] {
  return frame.subarray(5).toString('latin1').split('\0')
}

async function untilGone(admin: Sql, name: string): Promise<void> {
  while ((await admin`SELECT 1 FROM pg_stat_activity WHERE application_name = ${name}`).length > 0)
    await sleep(2)
}
