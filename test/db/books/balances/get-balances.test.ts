/** Balances of merchants, users and addresses. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { getBalances } from '../../../../db/books/balances/get-balances.js'
import { type AccountKind, postJournal } from '../../../../db/books/ledger/post-journal.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

let database: TestDatabase
let afterFirst: Date

beforeAll(async () => {
  database = await freshDatabase()
  const { sql } = database
  await sql`INSERT INTO merchants (id, name) VALUES ('m', 'M'), ('other', 'Other')`
  await sql`INSERT INTO merchant_rails VALUES ('m', 'bitcoin', 'btc'), ('m', 'ethereum', 'eth')`
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES ('sig', 'm', 's', '1', ${Buffer.alloc(32)}, '00000000', '')`
  await sql`
    INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub)
    VALUES ('acc', 'm', 'sig', 'bitcoin', 'deposit', 'm/84h', 'xpub')`
  for (const [index, [id, user]] of [
    ['a1', 'u1'],
    ['a2', 'u2'],
  ].entries()) {
    await sql`
      INSERT INTO addresses (id, merchant_id, network, kind, user_reference, address, payee, match_key, key_account_id, branch, index, derivation_path)
      VALUES (${id!}, 'm', 'bitcoin', 'deposit', ${user!}, ${`bcrt1${id}`}, ${Buffer.alloc(20, index)}, ${index}, 'acc', 0, ${index}, '')`
  }
  const deposit = (id: string, address: string, user: string, amount: bigint, status: string) => sql`
    INSERT INTO deposits (id, merchant_id, network, coin, address_id, user_reference, txid, output_index, amount, status, required_confirmations)
    VALUES (${id}, 'm', 'bitcoin', 'btc', ${address}, ${user}, ${id}, 0, ${amount}, ${status}, 3)`
  await deposit('d1', 'a1', 'u1', 100n, 'success')
  await deposit('d2', 'a1', 'u1', 7n, 'unconfirmed')
  await deposit('d3', 'a2', 'u2', 50n, 'screening_requested')
  const post = (key: string, lines: [AccountKind, string, bigint][]) =>
    postJournal(sql, {
      merchantId: 'm',
      idempotencyKey: key,
      type: 't',
      reference: key,
      entries: lines.map(([kind, owner, amount]) => ({
        network: 'bitcoin',
        coin: 'btc',
        kind,
        owner,
        amount,
      })),
    })
  await post('1', [
    ['chain', 'a1', 100n],
    ['available', 'u1', -100n],
  ])
  const [now] = await sql<{ now: Date }[]>`SELECT clock_timestamp() AS now`
  afterFirst = new Date(now!.now.getTime() + 1)
  await new Promise((resolve) => setTimeout(resolve, 5))
  await post('2', [
    ['chain', 'a2', 50n],
    ['reserved', 'u2', -50n],
  ])
  await post('3', [
    ['available', 'u1', 30n],
    ['reserved', 'u1', -30n],
  ])
})
afterAll(() => database.drop())

const zero = { available: 0n, reserved: 0n, blockchain: 0n, pending: 0n }

test('sums everything that the merchant holds and owes, and lists enabled coins without a journal', async () => {
  expect(await getBalances(database.sql, { merchantId: 'm' })).toEqual([
    { network: 'bitcoin', coin: 'btc', available: 70n, reserved: 80n, blockchain: 150n, pending: 7n },
    { network: 'ethereum', coin: 'eth', ...zero },
  ])
})

test("sums a user's accounts and addresses", async () => {
  expect(await getBalances(database.sql, { merchantId: 'm', userReference: 'u1', coin: 'btc' })).toEqual([
    { network: 'bitcoin', coin: 'btc', available: 70n, reserved: 30n, blockchain: 100n, pending: 7n },
  ])
})

test('shows the balance of an address, with deposits being screened as reserved', async () => {
  expect(await getBalances(database.sql, { merchantId: 'm', addressId: 'a2' })).toEqual([
    { network: 'bitcoin', coin: 'btc', available: 0n, reserved: 50n, blockchain: 50n, pending: 0n },
  ])
})

test('shows the balances of an instant', async () => {
  expect(
    await getBalances(database.sql, { merchantId: 'm', network: 'bitcoin', asOf: afterFirst }),
  ).toMatchObject([{ available: 100n, reserved: 0n, blockchain: 100n }])
})

test("never shows another merchant's", async () => {
  expect(await getBalances(database.sql, { merchantId: 'other' })).toEqual([])
})
