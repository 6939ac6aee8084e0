/** The database connection survives cut connections, and bounds locks and statements. */

import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { connect, type Sql } from '../../db/connect.js'
import { errorCode, isPassing } from '../../db/database-errors.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'

/** A server that ends in order closes its connections; one whose machine dies has them reset. */
const WAYS = ['closed', 'reset'] as const
type Way = (typeof WAYS)[number]

let database: TestDatabase
let server: Server
let url: string
const open = new Set<Socket>()
const pools: Sql[] = []

beforeAll(async () => {
  database = await freshDatabase()
  const target = new URL(database.url)
  const [port, host] = [Number(target.port), target.hostname]
  server = createServer((client) => {
    const upstream = dial(port, host)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  target.port = String(typeof address === 'object' ? address?.port : 0)
  url = target.href
  await database.sql`CREATE TABLE pairs (pair integer, half text, PRIMARY KEY (pair, half))`
})
beforeEach(() => database.sql`TRUNCATE pairs`)
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end({ timeout: 1 })))
  server?.close()
  await database?.drop()
})

function pool(max: number): Sql {
  const sql = connect(url, { max })
  pools.push(sql)
  return sql
}

function cutAll(way: Way): void {
  for (const socket of [...open]) {
    if (way === 'reset') socket.resetAndDestroy()
    else socket.destroy()
  }
}

test.each(WAYS)('writes nothing after the connection of a transaction is %s', async (way) => {
  const sql = pool(1)
  let after: unknown
  const transaction = sql.begin(async (tx) => {
    await tx`INSERT INTO pairs VALUES (1, 'first')`
    cutAll(way)
    // Busy with something else, while the pool opens the connection again for another caller.
    await sleep(500)
    after = await tx`INSERT INTO pairs VALUES (1, 'second')`.catch((error: unknown) => error)
  })
  await expect(transaction).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  await expect.poll(() => sql`SELECT 1`.then(() => 'answers', String)).toBe('answers')
  await expect.poll(() => after).toMatchObject({ code: 'CONNECTION_CLOSED' })
  expect(await database.sql`SELECT * FROM pairs`).toEqual([])
})

test.each(WAYS)(
  'a pool whose connections are %s in the middle of queries answers the next ones',
  async (way) => {
    const sql = pool(3)
    const cut = Array.from({ length: 3 }, () =>
      sql.begin((tx) => Promise.all([tx`SELECT pg_sleep(5)`, tx`SELECT 1`, tx`SELECT 2`])),
    )
    setTimeout(() => cutAll(way), 300)
    await Promise.all(cut.map((each) => each.then(() => expect.unreachable(), expectLoss)))
    const numbers = Array.from({ length: 60 }, (_, index) => index)
    const answers = numbers.map(async (number) => {
      const [row] = await sql<{ number: number }[]>`SELECT ${number}::int AS number`
      return row?.number
    })
    expect(await Promise.all(answers)).toEqual(numbers)
  },
)

test('answers each query and keeps transactions atomic when connections are cut repeatedly', async () => {
  const sql = pool(5)
  const until = Date.now() + 4_000
  let pair = 0
  let answered = 0
  const transact = async () => {
    while (Date.now() < until) {
      const mine = ++pair
      await sql
        .begin(async (tx) => {
          await tx`INSERT INTO pairs VALUES (${mine}, 'first')`
          if (mine % 3 === 0) await sleep(mine % 40)
          await Promise.all([tx`SELECT 1`, tx`INSERT INTO pairs VALUES (${mine}, 'second')`])
        })
        .catch(expectLoss)
    }
  }
  const ask = async (number: number) => {
    for (let round = 0; Date.now() < until; round++) {
      const wanted = number * 1_000_000 + round
      await sql<{ number: number }[]>`SELECT ${wanted}::int AS number`.then(([row]) => {
        answered += 1
        expect(row?.number).toBe(wanted)
      }, expectLoss)
    }
  }
  const cut = async () => {
    for (let cuts = 0; Date.now() < until; cuts++) {
      await sleep(100)
      // One after the other, so that some always work.
      const socket = [...open][cuts % Math.max(open.size, 1)]
      if (cuts % 2 === 0) socket?.resetAndDestroy()
      else socket?.destroy()
    }
  }
  await Promise.all([
    ...Array.from({ length: 12 }, transact),
    ...Array.from({ length: 12 }, (_, number) => ask(number)),
    cut(),
  ])
  expect(answered).toBeGreaterThan(100)
  expect(await database.sql`SELECT pair FROM pairs GROUP BY pair HAVING count(*) <> 2`).toEqual([])
  const [whole] = await database.sql<
    { count: number }[]
  >`SELECT count(DISTINCT pair)::int AS count FROM pairs`
  expect(whole?.count).toBeGreaterThan(10)
}, 30_000)

function expectLoss(error: unknown): void {
  expect(['CONNECTION_CLOSED', 'ECONNRESET', 'EPIPE', 'ECONNREFUSED']).toContain(
    (error as { code?: unknown }).code,
  )
}

test('reports a passing error when a lock or a statement exceeds its time-out', async () => {
  const own = await freshDatabase()
  const timeouts = { lock: 100, statement: 300, idleInTransaction: 300 }
  const sql = connect(own.url, { max: 3, timeouts })
  let release = () => {}
  const held = own.sql.begin(async (tx) => {
    await tx`LOCK TABLE merchants IN ACCESS EXCLUSIVE MODE`
    await new Promise<void>((resolve) => {
      release = resolve
    })
  })
  await until(async () => {
    const [row] = await own.sql`SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted`
    return row !== undefined
  })
  const failure = (query: PromiseLike<unknown>) =>
    Promise.resolve(query).then(
      () => null,
      (error: unknown) => error,
    )
  const locked = await failure(sql`SELECT count(*) FROM merchants`)
  expect([errorCode(locked), isPassing(locked)]).toEqual(['55P03', true])
  release()
  await held
  const slow = await failure(sql`SELECT pg_sleep(5)`)
  expect([errorCode(slow), isPassing(slow)]).toEqual(['57014', true])
  // A process that hangs inside a transaction gives its locks back.
  const hung = await failure(
    sql.begin(async (tx) => {
      await tx`LOCK TABLE merchants IN ACCESS EXCLUSIVE MODE`
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      await tx`SELECT 1`
    }),
  )
  expect(isPassing(hung)).toBe(true)
  await own.sql`SELECT count(*) FROM merchants`
  await sql.end({ timeout: 1 })
  await own.drop()
})

async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 10))
}
