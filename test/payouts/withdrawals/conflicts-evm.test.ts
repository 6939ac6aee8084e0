/** When a signed EVM payout is given up: by the scanned blocks, never by what a node has forgotten. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { followWithdrawal } from '../../../activities/payouts/withdrawal/follow-withdrawal.js'
import type { BlockRef, ChainAdapter, TransactionOutcome } from '../../../chains/adapter.js'
import { rollBack } from '../../../db/chain/roll-back.js'
import { newId } from '../../../db/new-id.js'
import { listAttempts } from '../../../db/payouts/attempts/find-attempts.js'
import { storeSigned } from '../../../db/payouts/attempts/store-signed.js'
import { loseWithdrawal } from '../../../db/payouts/lose-withdrawal.js'
import { findRow } from '../../../db/payouts/payout-row.js'
import type { Network } from '../../../domain/chain/network.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const NONCE = 5
const REQUIRED = 12
const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
let stage: Stage
/**
 * State of the node: its head, and the height from which the nonce is used. It knows no transaction and
 * accepts none.
 */
const node = {
  head: 100,
  usedFrom: 90,
  hashOf: (height: number) => hash(height),
  says: (_txid: string): TransactionOutcome => UNKNOWN,
}
const UNKNOWN: TransactionOutcome = { kind: 'unknown' }
const hash = (height: number, branch = 'a') => `0x${branch}${height.toString(16).padStart(63, '0')}`

beforeAll(async () => {
  stage = await startStage({
    networks,
    wrap: (real) =>
      Object.assign(Object.create(real) as ChainAdapter, {
        head: async () => ({ height: node.head, hash: node.hashOf(node.head) }),
        nonce: async () => (node.usedFrom <= node.head ? NONCE + 1 : NONCE),
        nonceAt: async (_: string, block: BlockRef) => {
          if (block.hash !== node.hashOf(block.height)) return null
          return node.usedFrom <= block.height ? NONCE + 1 : NONCE
        },
        outcome: async (txid: string) => node.says(txid),
        broadcast: async () => ({ kind: 'rejected', reason: 'nonce too low' }),
      }),
  })
  await stage.credit('ethereum', 'eth', '', 10n ** 20n)
})
afterAll(() => stage?.close())

/** Moves the watcher. Blocks that it has scanned are those of branch `a` unless `branch` says otherwise. */
async function scannedTo(height: number, branch = 'a'): Promise<void> {
  const { sql } = stage.api.database
  await sql`DELETE FROM chain_blocks WHERE network = 'ethereum'`
  await sql`
    INSERT INTO chain_blocks (network, height, hash, parent_hash, time)
    SELECT 'ethereum', number, hash, '', now()
    FROM unnest(${range(80, height)}::bigint[], ${range(80, height).map((each) => hash(each, branch))}::text[]) AS block (number, hash)`
  await sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height)
    VALUES ('ethereum', ${height}, ${hash(height, branch)}, ${height})
    ON CONFLICT (network) DO UPDATE SET height = excluded.height, block_hash = excluded.block_hash`
}
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

async function payout(state: 'broadcast' | 'mined'): Promise<string> {
  node.says = () => UNKNOWN
  const { sql } = stage.api.database
  const to = `0x${'12'.repeat(20)}`
  const { json } = await stage.create({ network: 'ethereum', coin: 'eth', amount: '1', to_address: to })
  const id = json.data.id
  await sql`
    UPDATE payouts SET stage = 'confirming', required_confirmations = ${REQUIRED} WHERE id = ${id}`
  const wallet = await stage.wallet('ethereum', 'hot')
  const attempt = newId('tx')
  const payload = { family: 'evm', network: 'ethereum', from: wallet.address, nonce: NONCE }
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, nonce, state, payload,
                              coin, amount, max_fee, txid, signed_transaction, block_number, block_hash)
    VALUES (${attempt}, ${stage.api.merchantId}, 'withdrawal', ${id}, 1, 'ethereum', ${wallet.id}, ${NONCE}, ${state},
            ${sql.json(payload)}, 'eth', 1, 1, ${`0x${attempt}`}, '0x02', ${state === 'mined' ? 90 : null},
            ${state === 'mined' ? hash(90) : null})`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id, state, answer)
    VALUES (${newId('srq')}, ${stage.api.merchantId}, ${stage.signer.signerId}, ${attempt}, ${id}, 'signed', '{}')`
  return id
}

/** Takes a step, as the workflow does. @returns The stage. */
async function step(id: string): Promise<string> {
  const { sql } = stage.api.database
  const found = await followWithdrawal({ sql, networks, adapters: stage.adapters }, id)
  if (found.kind === 'lost') await loseWithdrawal(sql, networks, id, found)
  return (await findRow(sql, id)).stage
}
const conflictOf = async (id: string) =>
  Number((await listAttempts(stage.api.database.sql, id))[0]?.conflict_height ?? 0)

test('never gives up an attempt that the watcher saw mined because a node knows only that its nonce was used', async () => {
  node.usedFrom = 90
  const id = await payout('mined')
  for (const height of [100, 111, 130]) {
    node.head = height
    await scannedTo(height)
    expect(await step(id)).toBe('confirming')
  }
  expect((await listAttempts(stage.api.database.sql, id)).map(({ state }) => state)).toEqual(['mined'])
})

test('counts the use of a nonce from the block that the watcher itself has scanned', async () => {
  node.usedFrom = 90
  const id = await payout('broadcast')
  // The node is far ahead: our transaction may lie in any block that was not scanned.
  node.head = 200
  await scannedTo(89)
  expect(await step(id)).toBe('confirming')
  expect(await conflictOf(id)).toBe(0)
  node.head = 300
  expect(await step(id)).toBe('confirming')
  await scannedTo(100)
  expect(await step(id)).toBe('confirming')
  expect(await conflictOf(id)).toBe(100)
  await scannedTo(110)
  expect(await step(id)).toBe('confirming')
  await scannedTo(111)
  expect(await step(id)).toBe('failed')
  expect((await findRow(stage.api.database.sql, id)).failure_code).toBe('NONCE_USED_ELSEWHERE')
})

test('proves nothing by a node on another branch than the scanned one', async () => {
  const id = await payout('broadcast')
  node.head = 150
  node.usedFrom = 90
  for (const height of [100, 130]) {
    await scannedTo(height, 'b')
    expect(await step(id)).toBe('confirming')
  }
  expect(await conflictOf(id)).toBe(0)
})

test('takes the verdict back after a reorg below the block that showed the use of the nonce', async () => {
  const { sql } = stage.api.database
  node.head = 150
  node.usedFrom = 90
  const id = await payout('broadcast')
  await scannedTo(100)
  expect(await step(id)).toBe('confirming')
  await rollBack(
    sql,
    networks.get('ethereum') as Network,
    { height: 100, hash: hash(100) },
    { height: 85, hash: hash(85) },
  )
  expect(await conflictOf(id)).toBe(0)
  await scannedTo(100)
  await step(id)
  await scannedTo(111)
  expect(await step(id)).toBe('failed')
  await rollBack(
    sql,
    networks.get('ethereum') as Network,
    { height: 111, hash: hash(111) },
    { height: 85, hash: hash(85) },
  )
  expect((await findRow(sql, id)).stage).toBe('confirming')
  expect((await listAttempts(sql, id)).map(({ state }) => state)).toEqual(['broadcast'])
})

test('may give up an attempt that a node reported in a block which the scanned chain does not have', async () => {
  const { sql } = stage.api.database
  node.usedFrom = 95
  node.head = 150
  const id = await payout('broadcast')
  await sql`
    UPDATE attempts SET state = 'mined', block_number = 96, block_hash = ${hash(96, 'c')} WHERE payout_id = ${id}`
  await scannedTo(100)
  expect(await step(id)).toBe('confirming')
  expect(await step(id)).toBe('confirming')
  await scannedTo(111)
  expect(await step(id)).toBe('failed')
})

test.each(['the same attempt', 'another attempt'])(
  'keeps what the watcher saw mined, although a node on an old branch has %s in a block there',
  async (which) => {
    const { sql } = stage.api.database
    node.usedFrom = 90
    node.head = 91
    const id = await payout('mined')
    const [seen] = await listAttempts(sql, id)
    const other = newId('tx')
    await sql`
      INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, nonce, state, payload,
                                coin, amount, max_fee, txid, signed_transaction)
      SELECT ${other}, merchant_id, subject_type, payout_id, 2, network, from_address_id, nonce, 'broadcast', payload,
             coin, amount, max_fee, ${`0x${other}`}, '0x02' FROM attempts WHERE id = ${seen?.id ?? ''}`
    await scannedTo(91)
    const mined = which === 'the same attempt' ? seen?.txid : `0x${other}`
    node.says = (txid) =>
      txid === mined
        ? {
            kind: 'mined',
            block: { height: 90, hash: hash(90, 'c') },
            confirmations: 1,
            fee: 1n,
            succeeded: true,
          }
        : UNKNOWN
    expect(await step(id)).toBe('confirming')
    // From now on no node knows any attempt.
    node.says = () => UNKNOWN
    for (const height of [100, 111, 130, 150]) {
      node.head = height
      await scannedTo(height)
      expect(await step(id)).toBe('confirming')
    }
    const [first] = await sql`SELECT state, block_hash FROM attempts WHERE id = ${seen?.id ?? ''}`
    expect(first).toEqual({ state: 'mined', block_hash: hash(90) })
  },
)

test('marks an attempt as mined whose answer comes after its block, although its nonce had proved the payout unpaid', async () => {
  const { sql } = stage.api.database
  node.usedFrom = 90
  node.head = 150
  const id = await payout('broadcast')
  const late = newId('tx')
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, from_address_id, nonce, state, payload,
                              coin, amount, max_fee)
    SELECT ${late}, merchant_id, subject_type, payout_id, 2, network, from_address_id, nonce, 'built', payload, coin, amount, 2
    FROM attempts WHERE payout_id = ${id}`
  await sql`
    INSERT INTO signing_requests (id, merchant_id, signer_id, transaction_id, payout_id, state, passed_at)
    VALUES (${newId('srq')}, ${stage.api.merchantId}, ${stage.signer.signerId}, ${late}, ${id}, 'leased', now())`
  await sql`
    INSERT INTO foreign_spends (network, txid, merchant_id, block_number, block_hash)
    VALUES ('ethereum', ${`0x${late}`}, ${stage.api.merchantId}, 90, ${hash(90)})`
  for (const height of [100, 130]) {
    await scannedTo(height)
    expect(await step(id)).toBe('confirming')
  }
  await storeSigned(sql, networks, id, {
    transactionId: late,
    signerId: stage.signer.signerId,
    signedTransaction: '0x02',
    txid: `0x${late}`,
  })
  // The node knows no transaction; the watcher saw this one.
  for (const height of [140, 150]) {
    await scannedTo(height)
    expect(await step(id)).toBe('confirming')
  }
  expect((await listAttempts(sql, id)).map(({ state }) => state)).toEqual(['mined', 'broadcast'])
})
