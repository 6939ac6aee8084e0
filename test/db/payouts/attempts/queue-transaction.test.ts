/** Reserving outpoints and queueing transactions, under races. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { queueTransaction } from '../../../../db/payouts/attempts/queue-transaction.js'
import { startBuilding } from '../../../../db/payouts/start-building.js'
import { type Stage, startStage } from '../../../stage/start-stage.js'
import { testNetworks } from '../../../stage/test-networks.js'

const networks = testNetworks({ BITCOIN_ENABLED: 'true', ETHEREUM_ENABLED: 'true' })
const ETH = 10n ** 18n
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('bitcoin', 'btc', '', 10_000_000_000n)
  await stage.credit('ethereum', 'eth', '', 100n * ETH)
})
afterAll(() => stage?.close())

/** Withdrawals that are ready to be built, without workflows. */
async function building(count: number, body: Record<string, unknown>): Promise<string[]> {
  const { sql } = stage.api.database
  return Promise.all(
    Array.from({ length: count }, async () => {
      const { json } = await stage.create(body)
      await sql`UPDATE payouts SET stage = 'approved' WHERE id = ${json.data.id}`
      await startBuilding(sql, networks, json.data.id)
      return json.data.id as string
    }),
  )
}
const bitcoinBody = {
  network: 'bitcoin',
  coin: 'btc',
  amount: '0.1',
  to_address: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
}
const ethereumBody = {
  network: 'ethereum',
  coin: 'eth',
  amount: '1',
  to_address: '0x742d35Cc6634C0532925a3b844Bc454e4438f44e',
}

test('reserves an outpoint for one of many concurrent payouts, and keeps no half of a selection', async () => {
  const { sql } = stage.api.database
  const hot = await stage.wallet('bitcoin', 'hot')
  const outpoints = Array.from({ length: 6 }, (_, index) => ({
    addressId: hot.id,
    txid: index.toString(16).padStart(64, 'a'),
    vout: 0,
    amount: 100_000_000n,
  }))
  for (const { txid, vout, amount } of outpoints) {
    await sql`
      INSERT INTO utxos (network, txid, vout, merchant_id, address_id, amount, block_number)
      VALUES ('bitcoin', ${txid}, ${vout}, ${stage.api.merchantId}, ${hot.id}, ${amount.toString()}, 1)`
  }
  const ids = await building(12, bitcoinBody)
  const queue = (id: string, inputs: typeof outpoints) =>
    queueTransaction(sql, networks, id, {
      family: 'utxo',
      signerId: stage.signer.signerId,
      coin: 'btc',
      amount: 10_000_000n,
      maxFee: 1_000n,
      fromAddress: hot.address,
      payload: { family: 'utxo', network: 'bitcoin', psbt: '' },
      vsize: 141,
      inputs,
      change: null,
    })
  // Each wants two neighbours in a ring, in either order: most must lose, none may block without an end.
  const results = await Promise.all(
    ids.map((id, index) => {
      const pair = [outpoints[index % 6], outpoints[(index + 1) % 6]].filter((each) => each !== undefined)
      return queue(id, index % 2 ? pair : pair.reverse())
    }),
  )
  const queued = results.filter((result) => result === 'queued').length
  expect(results.every((result) => result === 'queued' || result === 'raced')).toBe(true)
  expect(queued).toBeGreaterThanOrEqual(2)
  expect(queued).toBeLessThanOrEqual(3)
  const open = await sql<{ txid: string }[]>`SELECT txid FROM utxo_reservations WHERE released_at IS NULL`
  expect(new Set(open.map((row) => row.txid)).size).toBe(open.length)
  expect(open).toHaveLength(queued * 2)
  // A spent output cannot be reserved, although no reservation is open.
  await sql`UPDATE utxo_reservations SET released_at = now()`
  await sql`UPDATE utxos SET spent_by = 'b'`
  const loser = ids[results.indexOf('raced')] ?? ''
  expect(await queue(loser, outpoints.slice(0, 1))).toBe('raced')
})

test('does not reserve a coin whose block left the chain after it was selected', async () => {
  const { sql } = stage.api.database
  const hot = await stage.wallet('bitcoin', 'hot')
  const coins = ['c1', 'c2'].map((start) => ({
    addressId: hot.id,
    txid: start.padEnd(64, '0'),
    vout: 0,
    amount: 100_000_000n,
  }))
  for (const { txid, vout, amount } of coins) {
    await sql`
      INSERT INTO utxos (network, txid, vout, merchant_id, address_id, amount, block_number)
      VALUES ('bitcoin', ${txid}, ${vout}, ${stage.api.merchantId}, ${hot.id}, ${amount.toString()}, 1)`
  }
  const [id = ''] = await building(1, bitcoinBody)
  const queue = (inputs: typeof coins) =>
    queueTransaction(sql, networks, id, {
      family: 'utxo',
      signerId: stage.signer.signerId,
      coin: 'btc',
      amount: 10_000_000n,
      maxFee: 1_000n,
      fromAddress: hot.address,
      payload: { family: 'utxo', network: 'bitcoin', psbt: '' },
      vsize: 141,
      inputs,
      change: null,
    })
  const [vanished] = coins
  await sql`UPDATE utxos SET block_number = NULL WHERE txid = ${vanished?.txid ?? ''}`
  expect(await queue(coins)).toBe('raced')
  const reserved = async () =>
    sql`SELECT FROM utxo_reservations WHERE payout_id = ${id} AND released_at IS NULL`
  expect(await reserved()).toHaveLength(0)
  expect(await queue(coins.slice(1))).toBe('queued')
  expect(await reserved()).toHaveLength(1)
})

test('never asks a wallet for more than it holds, with payouts in progress', async () => {
  const { sql } = stage.api.database
  const hot = await stage.wallet('ethereum', 'hot')
  const ids = await building(10, ethereumBody)
  const fee = ETH / 1_000n
  const results = await Promise.all(
    ids.map((id) =>
      queueTransaction(sql, networks, id, {
        family: 'evm',
        signerId: stage.signer.signerId,
        coin: 'eth',
        amount: ETH,
        maxFee: fee,
        fromAddress: hot.address,
        fromAddressId: hot.id,
        payload: {
          family: 'evm',
          network: 'ethereum',
          chain_id: 31337,
          from: hot.address,
          derivation_path: '',
          to: '',
          value: ETH.toString(),
          data: '0x',
          gas: '21000',
          max_fee_per_gas: '1',
          max_priority_fee_per_gas: '1',
        },
        chainNonce: 0,
        nativeCoin: 'eth',
        // Enough for three and their fees, to the wei.
        balance: { coin: 3n * (ETH + fee), native: 3n * (ETH + fee), height: 10 },
      }),
    ),
  )
  expect(results.filter((result) => result === 'queued')).toHaveLength(3)
  expect(results.filter((result) => result === 'short')).toHaveLength(7)
})

test('does not queue a payout that was cancelled meanwhile', async () => {
  const { sql } = stage.api.database
  const [id] = await building(1, bitcoinBody)
  await stage.api.call({ method: 'DELETE', path: `/api/v1/withdrawals/${id}` })
  const result = await queueTransaction(sql, networks, id ?? '', {
    family: 'utxo',
    signerId: stage.signer.signerId,
    coin: 'btc',
    amount: 1n,
    maxFee: 1n,
    fromAddress: '',
    payload: { family: 'utxo', network: 'bitcoin', psbt: '' },
    vsize: 141,
    inputs: [],
    change: null,
  })
  expect(result).toBe('gone')
  expect(await sql`SELECT 1 FROM attempts WHERE payout_id = ${id ?? ''}`).toHaveLength(0)
})
