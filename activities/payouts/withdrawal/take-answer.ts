/** Acts on what the signer answered: a refusal ends the withdrawal, a signature is checked before it is kept. */

import { byAdapterFamily } from '../../../chains/adapter.js'
import { dropReplacement } from '../../../db/payouts/attempts/drop-replacement.js'
import { type AttemptRow, listAttempts, readPayload } from '../../../db/payouts/attempts/find-attempts.js'
import { storeSigned } from '../../../db/payouts/attempts/store-signed.js'
import type { SigningAnswer } from '../../../domain/signing/signer-protocol.js'
import { closeFailed } from './close-failed.js'
import { adapterOf, type WithdrawalChainDependencies } from './dependencies.js'

/**
 * Refused: failed with the signer's code, nonce and outpoints given back. Signed: parsed and compared field by field with
 * what was to be signed; anything else is never stored as signed and never broadcast.
 */
export async function takeAnswer(dependencies: WithdrawalChainDependencies, id: string): Promise<void> {
  // Also of one that was passed over, and has others beside it.
  const payments = await listAttempts(dependencies.sql, id)
  const payment = payments.find(({ state, answer }) => state === 'built' && answer !== null)
  if (!payment?.answer) return
  if (payment.cause !== 'first') return takeFurther(dependencies, id, payment, payment.answer)
  const { answer } = payment
  const actor = `signer:${payment.signer_id}`
  if (answer.outcome === 'refused') {
    await closeFailed(
      dependencies,
      id,
      { code: answer.code, message: `The signer refused: ${answer.message}` },
      { to: answer.code === 'INTENT_EXPIRED' ? 'expired' : 'failed', actor },
    )
    return
  }
  const verified = await verify(dependencies, payment, answer)
  if ('problem' in verified) {
    await closeFailed(
      dependencies,
      id,
      {
        code: 'SIGNED_TRANSACTION_MISMATCH',
        message: `The signer's answer is not the transaction it was asked to sign (${verified.problem}); it was not broadcast`,
      },
      { actor, answered: true, audit: { answered_transaction: answer.signed_transaction.slice(0, 100_000) } },
    )
    return
  }
  await storeSigned(dependencies.sql, dependencies.networks, id, {
    transactionId: payment.id,
    signerId: payment.signer_id,
    signedTransaction: answer.signed_transaction,
    txid: verified.txid,
  })
}

/** A further attempt that is refused or worthless is dropped; what is on its way already stays on its way. */
async function takeFurther(
  dependencies: WithdrawalChainDependencies,
  id: string,
  payment: AttemptRow,
  answer: SigningAnswer,
): Promise<void> {
  const actor = `signer:${payment.signer_id}`
  const drop = { transactionId: payment.id, actor, answered: true }
  if (answer.outcome === 'refused') {
    await dropReplacement(dependencies.sql, id, { ...drop, reason: `${answer.code}: ${answer.message}` })
    return
  }
  const verified = await verify(dependencies, payment, answer)
  if ('problem' in verified) {
    await dropReplacement(dependencies.sql, id, {
      ...drop,
      reason: `the signer's answer is not the transaction it was asked to sign (${verified.problem})`,
      audit: { answered_transaction: answer.signed_transaction.slice(0, 100_000) },
    })
    return
  }
  await storeSigned(dependencies.sql, dependencies.networks, id, {
    transactionId: payment.id,
    signerId: payment.signer_id,
    signedTransaction: answer.signed_transaction,
    txid: verified.txid,
  })
}

async function verify(
  dependencies: WithdrawalChainDependencies,
  payment: AttemptRow,
  answer: Extract<SigningAnswer, { outcome: 'signed' }>,
): Promise<{ readonly txid: string } | { readonly problem: string }> {
  const adapter = adapterOf(dependencies, payment.network)
  const payload = await readPayload(dependencies.sql, payment.id)
  try {
    const verified = byAdapterFamily(adapter, {
      utxo: (utxo) =>
        payload.family === 'utxo' ? utxo.verifySigned(payload, answer.signed_transaction) : null,
      evm: (evm) => (payload.family === 'evm' ? evm.verifySigned(payload, answer.signed_transaction) : null),
    })
    if (!verified) return { problem: `it is not a transaction of ${payment.network}` }
    if (verified.txid !== answer.transaction_hash)
      return { problem: 'its hash is another one than the signer says' }
    return verified
  } catch (error) {
    // The adapters check without asking a node: whatever they throw is about the bytes.
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
