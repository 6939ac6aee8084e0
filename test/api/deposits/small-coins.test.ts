/** Payouts that only many small coins could pay: refusals, balances, and what a waiting payout shows. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import { postJournal } from '../../../db/books/ledger/post-journal.js'
import { openPaperRail } from '../../stage/open-paper-rail.js'
import type { Stage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const STRANGER = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
const networks = testNetworks({ BITCOIN_ENABLED: 'true', ETHEREUM_ENABLED: 'true' })
let stage: Stage

beforeAll(async () => {
  const outputs = Array.from({ length: 1_000 }, () => 100_000n)
  stage = (await openPaperRail({ networks, feeRate: 1, outputs, kind: 'master' })).stage
})
afterAll(() => stage?.close())

const bitcoin = (amount: string) => ({ network: 'bitcoin', coin: 'btc', amount, to_address: STRANGER })
const needed = {
  code: 'INVALID_STATE',
  details: { reason: 'CONSOLIDATION_NEEDED', spendable_at_once: '0.25', owned: '1', coin: 'btc' },
}
async function balance(query: string) {
  const { json } = await stage.api.call({ path: `/api/v1/balances?${query}` })
  return json.data[0]
}

test('refuses a payout that needs too many small coins, because they must be consolidated first', async () => {
  const refused = await stage.create(bitcoin('0.9'))
  expect([refused.status, refused.json.error]).toMatchObject([409, needed])
  expect(refused.json.error.message).toContain('POST /movements/consolidate')
  const batch = await stage.createBatch({
    batch_withdrawal: {
      network: 'bitcoin',
      coin: 'btc',
      outputs: [bitcoin('0.2'), bitcoin('0.2')].map(({ to_address, amount }) => ({ to_address, amount })),
    },
  })
  expect([batch.status, batch.json.error]).toMatchObject([409, needed])
  expect(await stage.balance('bitcoin', 'btc', 'reserved', '')).toBe(0n)
  // An amount above the whole balance has another reason.
  const tooMuch = await stage.create(bitcoin('1.5'))
  expect(tooMuch.json.error.code).toBe('INSUFFICIENT_BALANCE')
  expect((await stage.create(bitcoin('0.2'))).status).toBe(201)
})

test('distinguishes in balances the spendable amount from the owned one', async () => {
  const { sql } = stage.api.database
  expect(await balance('network=bitcoin')).toMatchObject({
    blockchain: '1',
    spendable: '1',
    spendable_at_once: '0.25',
  })
  await sql`
    INSERT INTO utxo_reservations (network, txid, vout, payout_id, transaction_id)
    SELECT network, txid, vout, 'withdrawal_other', 'tx_other' FROM utxos LIMIT 800`
  expect(await balance('network=bitcoin')).toMatchObject({
    blockchain: '1',
    spendable: '0.2',
    spendable_at_once: '0.2',
  })
  await sql`UPDATE utxo_reservations SET released_at = now()`
  const now = encodeURIComponent(new Date().toISOString())
  expect(await balance(`network=bitcoin&as_of=${now}`)).toMatchObject({
    blockchain: '1',
    spendable: null,
    spendable_at_once: null,
  })
  // On an EVM chain, amounts on deposit addresses are spendable once they are consolidated.
  await stage.credit('ethereum', 'eth', '', 5n * 10n ** 18n)
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'alice', network: 'ethereum' },
  })
  const amount = 3n * 10n ** 18n
  await sql.begin((tx) =>
    postJournal(tx, {
      merchantId: stage.api.merchantId,
      idempotencyKey: 'deposit',
      type: 'test.credited',
      reference: 'test',
      entries: [
        { network: 'ethereum', coin: 'eth', kind: 'chain', owner: json.data.id, amount },
        { network: 'ethereum', coin: 'eth', kind: 'available', owner: 'alice', amount: -amount },
      ],
    }),
  )
  expect(await balance('network=ethereum&coin=eth')).toMatchObject({
    blockchain: '8',
    spendable: '5',
    spendable_at_once: '5',
  })
  expect(await balance('network=ethereum&coin=eth&user_reference=alice')).toMatchObject({
    available: '3',
    blockchain: '3',
    spendable: '0',
  })
})

test('shows what a payout waits for that was accepted before', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.create(bitcoin('0.1'))
  const { id } = json.data
  await sql`UPDATE payouts SET stage = 'approved', amount = 90000000, fee_limit = 1000000 WHERE id = ${id}`
  const dependencies = { sql, networks, adapters: stage.adapters }
  expect(await buildWithdrawal(dependencies, id)).toMatchObject({
    kind: 'waiting',
    code: 'CONSOLIDATION_NEEDED',
  })
})
