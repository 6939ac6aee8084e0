/** Acts on the signer's answer: a refusal ends the payout, and a signature is checked before it is kept. */

import { byAdapterFamily } from '../../../chains/adapter.js'
import { dropReplacement } from '../../../db/payouts/attempts/drop-replacement.js'
import { type AttemptRow, listAttempts, readPayload } from '../../../db/payouts/attempts/find-attempts.js'
import { storeSigned } from '../../../db/payouts/attempts/store-signed.js'
import type { SigningAnswer } from '../../../domain/signing/signer-protocol.js'
import { closeFailed } from './close-failed.js'
import { adapterOf, type WithdrawalChainDependencies } from './dependencies.js'

type SignedAnswer = Extract<SigningAnswer, { outcome: 'signed' }>

/**
 * Takes the answer. Refused: fails the payout with the signer's code, and gives nonce and outpoints back.
 * Signed: parses the bytes and compares them field by field with the request. Bytes that differ are never
 * stored as signed and never broadcast.
 */
export async function takeAnswer(dependencies: WithdrawalChainDependencies, id: string): Promise<void> {
  // Takes the answer to an attempt that was passed over too, and that has others beside it.
  const attempts = await listAttempts(dependencies.sql, id)
  const attempt = attempts.find(({ state, answer }) => state === 'built' && answer !== null)
  if (!attempt?.answer) return
  if (attempt.cause !== 'first') return takeFurther(dependencies, id, attempt, attempt.answer)
  const { answer } = attempt
  const actor = `signer:${attempt.signer_id}`
  if (answer.outcome === 'refused') {
    await closeFailed(
      dependencies,
      id,
      { code: answer.code, message: `The signer refused: ${answer.message}` },
      { to: answer.code === 'INTENT_EXPIRED' ? 'expired' : 'failed', actor },
    )
    return
  }
  const verified = await verify(dependencies, attempt, answer)
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
  await store(dependencies, id, attempt, answer, verified.txid)
}

/** Drops a further attempt that is refused or worthless. Attempts that were sent stay sent. */
async function takeFurther(
  dependencies: WithdrawalChainDependencies,
  id: string,
  attempt: AttemptRow,
  answer: SigningAnswer,
): Promise<void> {
  const actor = `signer:${attempt.signer_id}`
  const drop = { transactionId: attempt.id, actor, answered: true }
  if (answer.outcome === 'refused') {
    await dropReplacement(dependencies.sql, id, { ...drop, reason: `${answer.code}: ${answer.message}` })
    return
  }
  const verified = await verify(dependencies, attempt, answer)
  if ('problem' in verified) {
    await dropReplacement(dependencies.sql, id, {
      ...drop,
      reason: `the signer's answer is not the transaction it was asked to sign (${verified.problem})`,
      audit: { answered_transaction: answer.signed_transaction.slice(0, 100_000) },
    })
    return
  }
  await store(dependencies, id, attempt, answer, verified.txid)
}

async function store(
  { sql, networks }: WithdrawalChainDependencies,
  id: string,
  attempt: AttemptRow,
  answer: SignedAnswer,
  txid: string,
): Promise<void> {
  await storeSigned(sql, networks, id, {
    transactionId: attempt.id,
    signerId: attempt.signer_id,
    signedTransaction: answer.signed_transaction,
    txid,
  })
}

async function verify(
  dependencies: WithdrawalChainDependencies,
  attempt: AttemptRow,
  answer: SignedAnswer,
): Promise<{ readonly txid: string } | { readonly problem: string }> {
  const adapter = adapterOf(dependencies, attempt.network)
  // A list of attempts has the whole payload of an EVM transaction, and no PSBT.
  const payload =
    attempt.payload.family === 'evm' ? attempt.payload : await readPayload(dependencies.sql, attempt.id)
  try {
    const verified = byAdapterFamily(adapter, {
      utxo: (utxo) =>
        payload.family === 'utxo' ? utxo.verifySigned(payload, answer.signed_transaction) : null,
      evm: (evm) => (payload.family === 'evm' ? evm.verifySigned(payload, answer.signed_transaction) : null),
    })
    if (!verified) return { problem: `it is not a transaction of ${attempt.network}` }
    if (verified.txid !== answer.transaction_hash)
      return { problem: 'its hash is another one than the signer says' }
    return verified
  } catch (error) {
    // The adapters check without asking a node, so any error is about the bytes.
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
