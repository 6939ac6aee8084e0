/**
 * Fills the books with a history on an Ethereum in memory: deposits that are credited, held, rejected and refunded,
 * payouts of every end, movements, a batch, a dispute and a resolution that two people approved.
 */

import { advanceChain } from '../../activities/chain/advance-chain.js'
import { buildEvmReplacement } from '../../activities/payouts/withdrawal/build-evm-replacement.js'
import { buildWithdrawal } from '../../activities/payouts/withdrawal/build-withdrawal.js'
import { takeAnswer } from '../../activities/payouts/withdrawal/take-answer.js'
import type { EvmAdapter } from '../../chains/adapter.js'
import { raiseException } from '../../db/books/exceptions/raise-exception.js'
import { inTransaction } from '../../db/connect.js'
import { advanceControlChange } from '../../db/controls/changes/advance-control-change.js'
import { confirmDeposit } from '../../db/deposits/confirm-deposit.js'
import { rejectDeposit } from '../../db/deposits/decide-held-deposit.js'
import { holdDeposit } from '../../db/deposits/hold-deposit.js'
import { bookRefund, unbookRefund } from '../../db/deposits/refund-rejected.js'
import { advanceWithdrawal } from '../../db/payouts/advance-withdrawal.js'
import { isLive, listAttempts } from '../../db/payouts/attempts/find-attempts.js'
import { markBroadcast, markMined, startBroadcast } from '../../db/payouts/attempts/track-broadcast.js'
import { createMovement, NO_APPROVAL } from '../../db/payouts/movements/create-movement.js'
import { findRow } from '../../db/payouts/payout-row.js'
import { settleWithdrawal } from '../../db/payouts/settle-withdrawal.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { findCoin, findNetwork } from '../../domain/chain/network.js'
import type { ChainModel } from './chain-model.js'
import { settle } from './deposit-steps.js'
import { sendDecision } from './people.js'
import type { Stage } from './start-stage.js'

const ETHER = 10n ** 18n
const STRANGER = '0x742d35Cc6634C0532925a3b844Bc454e4438f44e'
/** Wei that every mined transaction costs. */
const FEE = 42_000_000_000_000n

/** @param model - The chain that the stage's adapter of Ethereum shows. */
export async function liveOnEthereum(stage: Stage, model: ChainModel): Promise<void> {
  const { api, networks, adapters } = stage
  const { sql } = api.database
  const { merchantId } = api
  const network = findNetwork(networks, 'ethereum')
  const adapter = adapters.get('ethereum') as EvmAdapter
  const dependencies = { sql, networks, adapters }
  const payeeOf = (address: string) => parseAddress(network, address).payee ?? ''
  const post = async (path: string, body: unknown, key = stage.people[0].key) => {
    const { status, json } = await api.call({ method: 'POST', path: `/api/v1${path}`, body, key })
    if (status >= 300) throw new Error(`${path}: ${JSON.stringify(json)}`)
    return json.data
  }
  const scan = async (blocks: number) => {
    for (let block = 0; block < blocks; block++) model.mine()
    await advanceChain(sql, adapter)
  }
  /** Brings a deposit to an address into blocks, unbooked. @returns Its id. */
  const deposit = async (address: string, coin: string, amount: bigint) => {
    const { txid } = model.pay({ payee: payeeOf(address), coin, amount })
    await scan(4)
    const [row] = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ${txid}`
    if (!row) throw new Error(`The deposit of ${amount} ${coin} was not seen`)
    return row.id
  }
  const sign = async (id: string) => {
    const { requests } = await stage.signer.claim()
    for (const request of requests)
      await stage.signer.answer({ ...(await stage.signer.sign(request.payload)), request_id: request.id })
    await takeAnswer(dependencies, id)
  }
  /** Builds, signs and broadcasts an approved payout. */
  const send = async (id: string) => {
    await buildWithdrawal(dependencies, id)
    await sign(id)
    await startBroadcast(sql, networks, id)
    const [attempt] = await listAttempts(sql, id)
    await markBroadcast(sql, networks, id, attempt?.id ?? '')
  }
  const approved = async (id: string) => {
    await stage.approve(id)
    await advanceWithdrawal(sql, networks, id, new Date())
    return id
  }
  const request = async (body: Record<string, unknown>) =>
    approved(await stage.request({ network: 'ethereum', to_address: STRANGER, ...body }))
  /** Adds an attempt with the same nonce and a higher fee. */
  const replace = async (id: string, purpose: 'pay' | 'cancel') => {
    const row = await findRow(sql, id)
    await buildEvmReplacement(dependencies, adapter, {
      row,
      attempts: (await listAttempts(sql, id)).filter(isLive),
      unanswered: [],
      purpose,
      cause: purpose === 'cancel' ? 'cancel' : 'speed_up',
      priority: 'high',
      feeLimit: row.fee_limit,
    })
    await sign(id)
  }
  /** Mines the newest attempt of a payout and settles it. */
  const settled = async (id: string, succeeded = true) => {
    const [attempt] = await listAttempts(sql, id)
    const transactionId = attempt?.id ?? ''
    await scan(3)
    const { height: blockNumber, hash: blockHash } = model.blocks[model.height - 2] ?? { height: 0, hash: '' }
    const seen = { network: 'ethereum', blockNumber, blockHash, required: 2 }
    await markMined(sql, networks, id, transactionId, seen)
    await settleWithdrawal(sql, networks, id, {
      transactionId,
      blockNumber,
      blockHash,
      confirmations: 3,
      fee: FEE.toString(),
      succeeded,
    })
    return id
  }
  const move = async (kind: 'consolidation' | 'gas_funding', coin: string, amount: bigint, to: string) => {
    const from = await stage.wallet('ethereum', 'hot')
    const id = await inTransaction(sql, (tx) =>
      createMovement(tx, networks, {
        kind,
        merchantId,
        network,
        coin: findCoin(network, coin),
        amount,
        from,
        toAddress: to,
        feePayer: 'sender',
        fee: FEE,
        feeLimit: ETHER / 100n,
        requirement: NO_APPROVAL,
        details: { cause: 'test' },
        expiryMs: 3_600_000,
      }),
    )
    if (id === null) throw new Error('The movement was not created')
    await advanceWithdrawal(sql, networks, id, new Date())
    return id
  }

  const hot = await stage.wallet('ethereum', 'hot')
  await deposit(hot.address, 'eth', 50n * ETHER)
  await deposit(hot.address, 'usdt', 9_000_000_000n)
  const { address: ofUser } = await post('/addresses', { user_reference: 'eva', network: 'ethereum' })
  await deposit(ofUser, 'eth', 7n * ETHER)
  await deposit(ofUser, 'usdt', 500_000_000n)
  await settle(sql, networks)
  // One deposit is held, one is rejected, and of two that were refunded a reorg took one refund back.
  const held: string[] = []
  for (const amount of [3n, 4n, 5n, 6n]) {
    const id = await deposit(ofUser, 'usdt', amount * 1_000_000n)
    await confirmDeposit(sql, networks, id)
    await holdDeposit(sql, networks, id, 'its sender is unknown')
    held.push(id)
  }
  const paid = await settled(await request({ coin: 'eth', amount: '1', user_reference: 'eva' }).then(sent))
  for (const [index, id] of held.entries()) {
    if (index === 0) continue
    const decision = { merchantId, id, by: 'person', reason: 'not ours', actor: 'person:test' }
    const refund = { id: paid, merchant_id: merchantId, reopened: 0 }
    await inTransaction(sql, async (tx) => {
      await rejectDeposit(tx, networks, decision)
      if (index > 1) await bookRefund(tx, id, refund)
    })
    if (index > 2) await inTransaction(sql, (tx) => unbookRefund(tx, id, refund))
  }
  await settled(await sent(await request({ coin: 'usdt', amount: '20' })))
  await settled(await sent(await request({ coin: 'eth', amount: '2', fee_payer: 'recipient' })))
  await settled(await sent(await request({ coin: 'usdt', amount: '30' })), false)
  const replaced = await sent(await request({ coin: 'usdt', amount: '40' }))
  await replace(replaced, 'pay')
  await settled(replaced)
  const cancelled = await sent(await request({ coin: 'eth', amount: '0.5' }))
  await sql`
    UPDATE payouts SET cancellation = ${sql.json({ requested_by: 'person:test', requested_at: new Date().toISOString(), reason: 'wrong recipient' })}
    WHERE id = ${cancelled}`
  await replace(cancelled, 'cancel')
  await settled(cancelled)
  // The signer refuses one, whose nonce goes to the next.
  const refused = await request({ coin: 'eth', amount: '0.25' })
  await buildWithdrawal(dependencies, refused)
  const { requests } = await stage.signer.claim()
  for (const each of requests)
    await stage.signer.answer({
      request_id: each.id,
      outcome: 'refused',
      code: 'APPROVAL_STALE',
      message: 'not today',
    })
  await takeAnswer(dependencies, refused)
  await settled(await sent(await move('gas_funding', 'eth', ETHER / 10n, ofUser)))
  await settled(await sent(await move('consolidation', 'usdt', 5_000_000n, ofUser)))
  // What is open at the end: a movement, a token payout at the chain, a batch.
  await move('gas_funding', 'eth', ETHER / 5n, ofUser)
  await sent(await request({ coin: 'usdt', amount: '60', user_reference: 'eva' }))
  const outputs = ['11', '12'].map((amount) => ({ to_address: STRANGER, amount }))
  const batch = await stage.createBatch({ batch_withdrawal: { network: 'ethereum', coin: 'usdt', outputs } })
  if (batch.status !== 201) throw new Error(JSON.stringify(batch.json))
  // A dispute that is over, and an amount that two people gave to a user.
  const dispute = { kind: 'dispute', subject: { type: 'user', id: 'eva' }, reason: 'claimed back' }
  const { id: over } = await post('/exceptions', dispute)
  await post(`/exceptions/${over}/resolve`, { resolution: 'none', comment: 'settled' })
  const credited = await inTransaction(sql, (tx) =>
    raiseException(tx, {
      merchantId,
      kind: 'drift',
      cause: 'test:credited',
      subject: { type: 'address', id: hot.id },
      reason: 'The books have more than the chain',
      expected: '2',
      actual: '1',
    }),
  )
  const journal = {
    from_user_reference: null,
    to_user_reference: 'eva',
    network: 'ethereum',
    coin: 'eth',
    amount: '0.125',
  }
  await post(`/exceptions/${credited}/resolve`, { resolution: 'credit', comment: 'owed', journal })
  for (const person of stage.people.slice(1))
    await sendDecision(api, `/api/v1/exceptions/${credited}`, person, 'approve')
  const [change] = await sql<{ id: string }[]>`
    SELECT change_id AS id FROM exceptions WHERE id = ${credited}`
  const { state } = await advanceControlChange(sql, networks, change?.id ?? '', new Date())
  if (state !== 'effective') throw new Error(`The resolution is ${state}`)

  async function sent(id: string): Promise<string> {
    await send(id)
    return id
  }
}
