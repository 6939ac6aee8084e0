/** A payout whose recipient pays the fee, with a rest below dust. */

import { Transaction } from 'bitcoinjs-lib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildWithdrawal } from '../../../activities/payouts/withdrawal/build-withdrawal.js'
import type { WithdrawalChainDependencies } from '../../../activities/payouts/withdrawal/dependencies.js'
import { takeAnswer } from '../../../activities/payouts/withdrawal/take-answer.js'
import { settleWithdrawal } from '../../../db/payouts/settle-withdrawal.js'
import { openPaperRail } from '../../stage/open-paper-rail.js'
import { realSigner } from '../../stage/real-signer.js'
import type { Stage } from '../../stage/start-stage.js'
import { testNetworks } from '../../stage/test-networks.js'

const networks = testNetworks({ BITCOIN_ENABLED: 'true' })
let stage: Stage
let dependencies: WithdrawalChainDependencies

beforeAll(async () => {
  ;({ stage, dependencies } = await openPaperRail({ networks, feeRate: 3, outputs: [100_000n] }))
})
afterAll(() => stage?.close())

test('signs what two people approved and closes the books, with a rest below dust', async () => {
  const { sql } = stage.api.database
  const { json } = await stage.create({
    network: 'bitcoin',
    coin: 'btc',
    amount: '0.000999',
    fee_payer: 'recipient',
    to_address: 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
  })
  const { id } = json.data
  await stage.approve(id)
  await sql`UPDATE payouts SET stage = 'approved' WHERE id = ${id}`
  await buildWithdrawal(dependencies, id)
  const [request] = (await stage.signer.claim()).requests
  if (!request) throw new Error('nothing to sign')
  const answer = await realSigner(stage)(request)
  expect(answer).toMatchObject({ outcome: 'signed' })
  await stage.signer.answer({ ...answer, request_id: request.id })
  await takeAnswer(dependencies, id)
  const [attempt] = await sql<{ id: string; signed_transaction: string; amount: bigint; max_fee: bigint }[]>`
    SELECT id, signed_transaction, amount, max_fee FROM attempts WHERE payout_id = ${id}`
  const signed = Transaction.fromHex(attempt?.signed_transaction ?? '')
  expect(signed.outs.map((each) => each.value)).toEqual([99_470n])
  expect(attempt).toMatchObject({ amount: 99_470n, max_fee: 530n })
  await sql`UPDATE payouts SET stage = 'confirming' WHERE id = ${id}`
  await sql`UPDATE attempts SET state = 'mined', block_number = 101, block_hash = '00' WHERE payout_id = ${id}`
  await settleWithdrawal(sql, networks, id, {
    transactionId: attempt?.id ?? '',
    blockNumber: 101,
    blockHash: '00',
    confirmations: 2,
    fee: '530',
    succeeded: true,
  })
  expect(await stage.read(id)).toMatchObject({ stage: 'confirmed' })
  const accounts = await sql<{ kind: string; balance: bigint }[]>`
    SELECT kind, balance FROM ledger_accounts WHERE network = 'bitcoin' AND balance <> 0`
  // The coin is gone, and with it all that the books held. Nothing is reserved.
  expect(accounts).toEqual([])
})
