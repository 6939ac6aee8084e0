/** The watcher's filter misses no address that was committed before it is asked, by any session. */

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { advanceChain } from '../../../activities/chain/advance-chain.js'
import { lookAtMempool } from '../../../activities/chain/look-at-mempool.js'
import { createAddressFilter } from '../../../db/chain/address-filter.js'
import { connect, type Queryable, type Sql } from '../../../db/connect.js'
import { ChainModel } from '../../stage/chain-model.js'
import { bitcoin, ethereum, merchantWith } from '../../stage/deposit-steps.js'
import { copyDatabase, freshDatabase, type TestDatabase } from '../../support/database.js'

let database: TestDatabase
/** Sessions of other processes. */
let others: Sql
beforeEach(async () => {
  database = await freshDatabase()
  others = connect(database.url, { max: 8 })
  await (await merchantWith(database.sql)).address('bitcoin', 'first')
})
afterEach(async () => {
  await others.end({ timeout: 1 })
  await database.drop()
})

const payees = (count: number) => Array.from({ length: count }, () => randomBytes(20).toString('hex'))

let index = 1
/** Inserts addresses of bitcoin beside the first one. */
async function create(sql: Queryable, created: readonly string[]): Promise<void> {
  const from = index
  index += created.length
  await sql`
    INSERT INTO addresses (id, merchant_id, network, kind, address, payee, match_key, key_account_id, branch, index,
                           derivation_path)
    SELECT 'addr_' || hex, merchant_id, 'bitcoin', 'deposit', hex, decode(hex, 'hex'),
           ('x' || substr(hex, 1, 16))::bit(64)::bigint, key_account_id, 1, ${from} + position, 'm'
    FROM unnest(${[...created]}::text[]) WITH ORDINALITY AS made (hex, position),
         (SELECT merchant_id, key_account_id FROM addresses WHERE network = 'bitcoin' LIMIT 1) AS first`
}

/** Creates addresses in a transaction that stays open until `commit` is called. */
async function createSlowly(created: readonly string[]): Promise<{ commit(): Promise<void> }> {
  const session = await others.reserve()
  await session`BEGIN`
  await create(session as unknown as Queryable, created)
  return {
    async commit() {
      await session`COMMIT`
      session.release()
    },
  }
}

async function missed(filter: ReturnType<typeof createAddressFilter>, created: readonly string[]) {
  const found = new Set(await filter.mayBeOwn(database.sql, new Set([...created, ...payees(20)])))
  return created.filter((payee) => !found.has(payee))
}

test('finds addresses from before its first use and from after it, and leaves most strangers out', async () => {
  const filter = createAddressFilter('bitcoin')
  const before = payees(500)
  await create(others, before)
  expect(await missed(filter, before)).toEqual([])
  const after = payees(500)
  await create(others, after)
  expect(await missed(filter, [...before, ...after])).toEqual([])
  expect((await filter.mayBeOwn(database.sql, new Set(payees(1_000)))).length).toBeLessThan(30)
})

test('finds an address whose transaction began before later ones that it has seen', async () => {
  const filter = createAddressFilter('bitcoin')
  const [slow, quick, own] = [payees(1), payees(1), payees(1)]
  const open = await createSlowly(slow)
  const later = await createSlowly(own)
  expect(await missed(filter, [])).toEqual([])
  await create(others, quick)
  expect(await missed(filter, quick)).toEqual([])
  await later.commit()
  expect(await missed(filter, own)).toEqual([])
  await open.commit()
  expect(await missed(filter, [...slow, ...quick, ...own])).toEqual([])
})

test('finds every committed address while other sessions create and commit in any order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('create', 'begin', 'commit', 'ask', 'ask twice at once'), {
        minLength: 5,
        maxLength: 25,
      }),
      fc.infiniteStream(fc.nat()),
      async (steps, choices) => {
        const filter = createAddressFilter('bitcoin')
        const committed: string[] = []
        const open: { readonly created: string[]; commit(): Promise<void> }[] = []
        for (const step of steps) {
          const created = payees(2)
          if (step === 'create') {
            await create(others, created)
            committed.push(...created)
          } else if (step === 'begin' && open.length < 6) {
            open.push({ created, ...(await createSlowly(created)) })
          } else if (step === 'commit' && open.length > 0) {
            const [ended] = open.splice((choices.next().value ?? 0) % open.length, 1)
            await ended?.commit()
            committed.push(...(ended?.created ?? []))
          } else if (step === 'ask') {
            expect(await missed(filter, committed)).toEqual([])
          } else if (step === 'ask twice at once') {
            const both = await Promise.all([missed(filter, committed), missed(filter, committed)])
            expect(both).toEqual([[], []])
          }
        }
        for (const each of open) await each.commit()
        committed.push(...open.flatMap((each) => each.created))
        expect(await missed(filter, committed)).toEqual([])
        expect(await missed(createAddressFilter('bitcoin'), committed)).toEqual([])
      },
    ),
    { numRuns: 30 },
  )
}, 120_000)

test('finds addresses that are committed while it reads all of them for the first time', async () => {
  await create(others, payees(20_000))
  const filter = createAddressFilter('bitcoin')
  const created: string[] = []
  let reading = true
  const first = missed(filter, []).finally(() => {
    reading = false
  })
  while (reading) {
    const some = payees(3)
    await create(others, some)
    created.push(...some)
  }
  await first
  expect(await missed(filter, created)).toEqual([])
})

test('reads everything again when it holds more than it was made for', async () => {
  const filter = createAddressFilter('bitcoin')
  expect(await missed(filter, [])).toEqual([])
  const created = payees(40_000)
  await create(others, created)
  expect(await missed(filter, created)).toEqual([])
  expect(await missed(filter, created)).toEqual([])
  expect((await filter.mayBeOwn(database.sql, new Set(payees(4_000)))).length).toBeLessThan(40)
})

test('reads everything again from a database that was restored', async () => {
  const filter = createAddressFilter('bitcoin')
  const old = payees(10)
  await create(others, old)
  await others.end({ timeout: 1 })
  await database.sql.end({ timeout: 1 })
  const copy = await copyDatabase(new URL(database.url).pathname.slice(1))
  others = connect(copy.url, { max: 2 })
  // This address of the copy is older than the filter's last snapshot of the original.
  const lost = payees(1)
  await create(copy.sql, lost)
  const original = connect(database.url, { max: 2 })
  await create(original, payees(1))
  await filter.mayBeOwn(original, new Set(old))
  expect(await filter.mayBeOwn(copy.sql, new Set([...old, ...lost]))).toHaveLength(11)
  await original.end({ timeout: 1 })
  await copy.drop()
})

test('finds new addresses beside those of a dump from a server that had more transactions', async () => {
  const old = payees(10)
  await create(others, old)
  // As after the restore of a dump into a new server.
  await others`UPDATE addresses SET created_in = '9000000000000'`
  const filter = createAddressFilter('bitcoin')
  expect(await missed(filter, old)).toEqual([])
  const created = payees(10)
  await create(others, created)
  expect(await missed(filter, [...old, ...created])).toEqual([])
})

describe.each([bitcoin, ethereum])('on $name', (network) => {
  test('a scan finds payments in blocks and in the mempool to addresses that were just created', async () => {
    const { sql } = database
    const filter = createAddressFilter(network.name)
    const model = new ChainModel(network)
    const adapter = model.adapter()
    const merchant = await merchantWith(others)
    const coin = network.coins[0]?.name ?? ''
    const pay = async (user: string) => {
      const { payee } = await merchant.address(network.name, user)
      return model.transaction([{ payee, coin, amount: 100_000_000_000_000_000n }])
    }
    await advanceChain(sql, adapter, { filter })
    for (const user of ['a', 'b', 'c']) {
      model.mine([await pay(user)])
      await advanceChain(sql, adapter, { filter })
    }
    const { payee } = await merchant.address(network.name, 'd')
    model.pay({ payee, coin, amount: 100_000_000_000_000_000n })
    await lookAtMempool(sql, adapter, new Set(), undefined, filter)
    expect(await sql`SELECT user_reference, status FROM deposits ORDER BY user_reference`).toEqual([
      { user_reference: 'a', status: 'unconfirmed' },
      { user_reference: 'b', status: 'unconfirmed' },
      { user_reference: 'c', status: 'unconfirmed' },
      { user_reference: 'd', status: 'detected' },
    ])
  })
})
