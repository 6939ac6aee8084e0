/** Settling a payout before the watcher has scanned its block, and after a reorg took that block. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Block } from '../../../chains/adapter.js'
import { mineOwnTransactions } from '../../../db/chain/mine-own-transactions.js'
import { newId } from '../../../db/new-id.js'
import { settleWithdrawal } from '../../../db/payouts/settle-withdrawal.js'
import { findNetwork } from '../../../domain/chain/network.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
const ethereum = findNetwork(networks, 'ethereum')
const ETHER = 10n ** 18n
const BLOCK: Block = {
  height: 1,
  hash: '0x01',
  parentHash: '0x00',
  time: 0,
  transfers: [],
  spends: [],
  txids: [],
}
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('ethereum', 'eth', '', 10n * ETHER)
})
afterAll(() => stage?.close())

let nonce = 0
/** Makes a payout whose attempt a node has reported as mined in `BLOCK`. */
async function mined() {
  const { sql } = stage.api.database
  const to_address = '0x00000000000000000000000000000000000A11cE'
  const id = await stage.request({ network: 'ethereum', coin: 'eth', amount: '1', to_address })
  const hot = await stage.wallet('ethereum', 'hot')
  const attempt = { id: newId('tx'), txid: `0x${String(nonce).padStart(64, '0')}` }
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount,
                          max_fee, from_address_id, nonce, txid, block_number, block_hash)
    VALUES (${attempt.id}, ${stage.api.merchantId}, 'withdrawal', ${id}, 1, 'ethereum', 'mined', '{}', 'eth',
            ${ETHER.toString()}, 1000, ${hot.id}, ${nonce++}, ${attempt.txid}, 1, '0x01')`
  await sql`UPDATE payouts SET stage = 'confirming' WHERE id = ${id}`
  const outcome = {
    transactionId: attempt.id,
    blockNumber: 1,
    blockHash: '0x01',
    confirmations: 12,
    fee: '1000',
    succeeded: true,
  }
  return { id, attempt, outcome }
}
const stateOf = async (id: string) => {
  const [row] = await stage.api.database.sql<{ state: string }[]>`SELECT state FROM attempts WHERE id = ${id}`
  return row?.state
}

test('leaves a settled attempt settled when the watcher scans its block at the same moment', async () => {
  const { sql } = stage.api.database
  const { attempt } = await mined()
  let scanning: Promise<unknown> = Promise.resolve()
  await sql.begin(async (settling) => {
    await settling`UPDATE attempts SET state = 'final' WHERE id = ${attempt.id}`
    const block = { ...BLOCK, txids: [attempt.txid] }
    scanning = sql.begin((tx) => mineOwnTransactions(tx, ethereum, [block], []))
    // The watcher has read the attempt as mined, and waits for its row.
    while ((await sql`SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'`).count === 0)
      await sleep(10)
  })
  await scanning
  expect(await stateOf(attempt.id)).toBe('final')
})

test('closes no books for an attempt whose block left the chain after the node was asked', async () => {
  const { sql } = stage.api.database
  const { id, attempt, outcome } = await mined()
  await sql`UPDATE attempts SET state = 'broadcast', block_number = NULL, block_hash = NULL WHERE id = ${attempt.id}`
  expect(await settleWithdrawal(sql, networks, id, outcome)).toMatchObject({ stage: 'confirming' })
  expect(await stateOf(attempt.id)).toBe('broadcast')
  expect(await stage.balance('ethereum', 'eth', 'reserved', '')).not.toBe(0n)
})
