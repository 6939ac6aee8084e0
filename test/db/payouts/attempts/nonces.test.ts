/** Allocating nonces: lowest free one first, never one that was signed or is used elsewhere. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '../../../../db/new-id.js'
import {
  allocateNonces,
  freeNonces,
  observeChainNonce,
} from '../../../../db/payouts/attempts/allocate-nonce.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase({ max: 20 })
})
afterAll(() => database?.drop())

let accounts = 0
/** An account of its own whose next nonce on the chain is `chainNonce`. */
async function account(chainNonce: number) {
  const address = `0x${(++accounts).toString(16).padStart(40, '0')}`
  const observe = (nonce: number) =>
    database.sql.begin((tx) => observeChainNonce(tx, 'ethereum', address, nonce))
  await observe(chainNonce)
  return {
    address,
    observe,
    allocate: async (subject: string) =>
      (await database.sql.begin((tx) => allocateNonces(tx, 'ethereum', address, [subject]))).get(subject) ??
      null,
    allocateAll: async (subjects: readonly string[], beside: readonly string[] = []) => {
      const given = await database.sql.begin((tx) =>
        allocateNonces(tx, 'ethereum', address, subjects, beside),
      )
      return subjects.map((subject) => given.get(subject) ?? null)
    },
    free: (subject: string) => database.sql.begin((tx) => freeNonces(tx, subject)),
    sign: (subject: string) =>
      database.sql`UPDATE nonces SET state = 'signed' WHERE payout_id = ${subject} AND state = 'allocated'`,
    states: async () =>
      (
        await database.sql<{ nonce: bigint; state: string }[]>`
          SELECT nonce, state FROM nonces WHERE address = ${address} ORDER BY nonce`
      ).map((row) => [Number(row.nonce), row.state]),
  }
}

test('starts at the nonce of the chain, and returns the same nonce when asked twice', async () => {
  const wallet = await account(7)
  expect(await wallet.allocate('a')).toBe(7)
  expect(await wallet.allocate('a')).toBe(7)
  expect(await wallet.allocate('b')).toBe(8)
})

test('story 1: allocates the lowest free nonce first, and never one that was signed', async () => {
  const wallet = await account(0)
  for (const subject of ['c', 'd', 'e']) await wallet.allocate(subject)
  await wallet.sign('d')
  await wallet.free('d')
  await wallet.free('c')
  await wallet.free('e')
  expect(await wallet.states()).toEqual([
    [0, 'free'],
    [1, 'signed'],
    [2, 'free'],
  ])
  expect(await wallet.allocate('f')).toBe(0)
  expect(await wallet.allocate('g')).toBe(2)
  expect(await wallet.allocate('h')).toBe(3)
})

test('never allocates a nonce that the chain shows as used by another program', async () => {
  const wallet = await account(0)
  await wallet.allocate('i')
  await wallet.allocate('j')
  await wallet.sign('j')
  await wallet.free('i')
  await wallet.observe(5)
  expect(await wallet.states()).toEqual([
    [0, 'foreign'],
    [1, 'signed'],
  ])
  expect(await wallet.allocate('k')).toBe(5)
  // A node that is behind takes nothing back.
  await wallet.observe(2)
  expect(await wallet.allocate('l')).toBe(6)
})

test('keeps at most sixteen in flight', async () => {
  const wallet = await account(0)
  for (let index = 0; index < 16; index++) expect(await wallet.allocate(`m${index}`)).toBe(index)
  expect(await wallet.allocate('n')).toBeNull()
  await wallet.free('m3')
  expect(await wallet.allocate('n')).toBe(3)
})

test('gives a run ascending nonces, the free ones first, and only as many as may be in flight', async () => {
  const wallet = await account(3)
  await wallet.allocateAll(['r1', 'r2', 'r3', 'r4'])
  await wallet.sign('r1')
  await wallet.sign('r3')
  await wallet.free('r2')
  await wallet.free('r4')
  const run = Array.from({ length: 16 }, (_, index) => `s${index}`)
  expect(await wallet.allocateAll(run)).toEqual([
    4,
    ...Array.from({ length: 13 }, (_, index) => 6 + index),
    null,
    null,
  ])
  // The same run again has the same nonces.
  expect((await wallet.allocateAll(run)).slice(0, 3)).toEqual([4, 6, 7])
})

test('allocates no nonce while another request of the account is at the signer', async () => {
  const { sql } = database
  const wallet = await account(0)
  await sql`INSERT INTO merchants (id, name) VALUES ('mer_n', 'n')`
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES ('sig_n', 'mer_n', 'n', '0', ${Buffer.alloc(32)}, '00000000', '')`
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount, max_fee)
    VALUES ('tx_n', 'mer_n', 'withdrawal', 'o', 1, 'ethereum', 'built', '{}', 'eth', 1, 1)`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id, state)
    VALUES ('srq_n', 'mer_n', 'sig_n', 'tx_n', 'o', 'leased')`
  expect(await wallet.allocate('o')).toBe(0)
  expect(await wallet.allocate('p')).toBeNull()
  await sql`UPDATE signing_requests SET state = 'signed' WHERE id = 'srq_n'`
  expect(await wallet.allocate('p')).toBe(1)
})

test('allocates nonces to other payouts beside an unanswered further attempt', async () => {
  const { sql } = database
  const wallet = await account(0)
  expect(await wallet.allocate('q')).toBe(0)
  await wallet.sign('q')
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount, max_fee)
    VALUES ('tx_q', 'mer_n', 'withdrawal', 'q', 2, 'ethereum', 'built', '{}', 'eth', 1, 1)`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id, state)
    VALUES ('srq_q', 'mer_n', 'sig_n', 'tx_q', 'q', 'leased')`
  expect(await wallet.allocate('r')).toBe(1)
})

test('story 4: never allocates the same nonce to two concurrent payouts', async () => {
  const wallet = await account(0)
  const given = await Promise.all(Array.from({ length: 30 }, () => wallet.allocate(newId('withdrawal'))))
  const numbers = given.filter((nonce) => nonce !== null)
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, index) => index))
})
