/** Settling a payout whose fee was above its limit. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { totalsByCoin } from '../../../db/books/balances/get-totals.js'
import { newId } from '../../../db/new-id.js'
import { settleWithdrawal } from '../../../db/payouts/settle-withdrawal.js'
import { formatAmount } from '../../../domain/money.js'
import { type Stage, startStage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ ETHEREUM_ENABLED: 'true' })
const ETHER = 10n ** 18n
let stage: Stage
beforeAll(async () => {
  stage = await startStage({ networks })
  await stage.credit('ethereum', 'eth', '', 10n * ETHER)
  await stage.credit('ethereum', 'eth', 'alice', 10n * ETHER)
})
afterAll(() => stage?.close())

test('settles with the fee that the network took above the limit, and raises an exception that names both in whole coins', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.create({
    network: 'ethereum',
    coin: 'eth',
    amount: '1',
    user_reference: 'alice',
    to_address: '0x00000000000000000000000000000000000A11cE',
  })
  const { id } = json.data
  const [row] = await sql<{ fee_limit: bigint }[]>`SELECT fee_limit FROM payouts WHERE id = ${id}`
  const limit = row?.fee_limit ?? 0n
  const fee = limit * 3n
  const hot = await stage.wallet('ethereum', 'hot')
  const transactionId = newId('tx')
  await sql`
    INSERT INTO attempts (id, merchant_id, subject_type, payout_id, number, network, state, payload, coin, amount,
                              max_fee, from_address_id, nonce, block_number, block_hash)
    VALUES (${transactionId}, ${stage.api.merchantId}, 'withdrawal', ${id}, 1, 'ethereum', 'mined', '{}', 'eth',
            ${ETHER.toString()}, ${limit.toString()}, ${hot.id}, 0, 1, '0x01')`
  await sql`UPDATE payouts SET stage = 'confirming' WHERE id = ${id}`
  const totals = async (owner: string | null) => {
    const scope = owner === null ? { ownAccount: true } : { userReference: owner }
    const [found] = await totalsByCoin(sql, { merchantId: stage.api.merchantId, coin: 'eth', ...scope })
    return { withdrawn: found?.withdrawn ?? 0n, fees: found?.fees ?? 0n }
  }
  const before = { alice: await totals('alice'), own: await totals(null) }
  const outcome = {
    transactionId,
    blockNumber: 1,
    blockHash: '0x01',
    confirmations: 12,
    fee: fee.toString(),
    succeeded: true,
  }
  await settleWithdrawal(sql, networks, id, outcome)
  await settleWithdrawal(sql, networks, id, outcome)

  expect(await stage.read(id)).toMatchObject({ stage: 'confirmed' })
  const balance = (kind: 'available' | 'reserved' | 'chain', owner: string) =>
    stage.balance('ethereum', 'eth', kind, owner)
  const abs = (value: bigint) => (value < 0n ? -value : value)
  expect(await balance('reserved', 'alice')).toBe(0n)
  expect(abs(await balance('available', 'alice'))).toBe(9n * ETHER - limit)
  expect(abs(await balance('available', ''))).toBe(10n * ETHER - (fee - limit))
  expect(await balance('chain', hot.id)).toBe(19n * ETHER - fee)
  // The user bears the amount and the fee that was agreed, the merchant's own account what is over.
  const after = { alice: await totals('alice'), own: await totals(null) }
  expect(after.alice).toEqual({ withdrawn: before.alice.withdrawn + ETHER, fees: limit })
  expect(after.own).toEqual({ withdrawn: before.own.withdrawn, fees: fee - limit })
  const [journal] =
    await sql`SELECT height FROM ledger_journals WHERE reference = ${id} AND type = 'withdrawal.settled'`
  expect(journal).toEqual({ height: 1n })
  const raised = await sql`SELECT data FROM events WHERE type = 'exception.raised' AND subject = ${id}`
  expect(raised.map((each) => (each as { data: unknown }).data)).toMatchObject([
    {
      kind: 'wrong_amount',
      detail: 'withdrawal.fee_above_limit',
      fee: formatAmount(fee, 18),
      fee_limit: formatAmount(limit, 18),
      coin: 'eth',
    },
  ])
  const queued =
    await sql`SELECT expected, actual FROM exceptions WHERE cause LIKE ${`fee_above_limit:${id}:%`}`
  expect(queued).toEqual([{ expected: formatAmount(limit, 18), actual: formatAmount(fee, 18) }])
})
