/** Every check, in the order in which they are asked. A name here is a name in docs/signer-protocol.md. */

import { cancelAllowed } from './cancel/cancel-allowed.js'
import { cancelCalldataEmpty } from './cancel/cancel-calldata-empty.js'
import { cancelFeeWithinPolicy } from './cancel/cancel-fee-within-policy.js'
import { cancelOfSigned } from './cancel/cancel-of-signed.js'
import { cancelToItself } from './cancel/cancel-to-itself.js'
import { cancelValueZero } from './cancel/cancel-value-zero.js'
import { cancelWithinDailyFees } from './cancel/cancel-within-daily-fees.js'
import type { Check, EvmContext, PayloadContext, RequestContext, UtxoContext } from './check.js'
import { calledAddressMatches } from './evm/called-address-matches.js'
import { chainIdMatches } from './evm/chain-id-matches.js'
import { feeWithinIntent as evmFeeWithinIntent } from './evm/fee-within-intent.js'
import { feeWithinPolicy as evmFeeWithinPolicy } from './evm/fee-within-policy.js'
import { gasPriceWithinPolicy } from './evm/gas-price-within-policy.js'
import { nativeAmountMatches } from './evm/native-amount-matches.js'
import { nativeCalldataEmpty } from './evm/native-calldata-empty.js'
import { noncePlausible } from './evm/nonce-plausible.js'
import { numbersFit } from './evm/numbers-fit.js'
import { payingAddressMine } from './evm/paying-address-mine.js'
import { payingPathAllowed } from './evm/paying-path-allowed.js'
import { singleRecipient } from './evm/single-recipient.js'
import { tipWithinPolicy } from './evm/tip-within-policy.js'
import { tipWithinPrice } from './evm/tip-within-price.js'
import { tokenAmountMatches } from './evm/token-amount-matches.js'
import { tokenCallCanonical } from './evm/token-call-canonical.js'
import { tokenCallIsTransfer } from './evm/token-call-is-transfer.js'
import { tokenFeePaidBySender } from './evm/token-fee-paid-by-sender.js'
import { tokenRecipientMatches } from './evm/token-recipient-matches.js'
import { tokenValueZero } from './evm/token-value-zero.js'
import { typeTwoFieldsOnly } from './evm/type-two-fields-only.js'
import { batchFeeWithinIntent } from './journal/batch-fee-within-intent.js'
import { intentUnchanged } from './journal/intent-unchanged.js'
import { itemsInOnePart } from './journal/items-in-one-part.js'
import { nonceFree } from './journal/nonce-free.js'
import { outpointsFree } from './journal/outpoints-free.js'
import { sameConflictSet } from './journal/same-conflict-set.js'
import { withinAttemptCount } from './journal/within-attempt-count.js'
import { withinDailyLimit } from './journal/within-daily-limit.js'
import { withinFeeBudget } from './journal/within-fee-budget.js'
import { withinGasFundingBudget } from './journal/within-gas-funding-budget.js'
import { withinGasFundingLimit } from './journal/within-gas-funding-limit.js'
import { withinMovementCount } from './journal/within-movement-count.js'
import { withinTransactionLimit } from './journal/within-transaction-limit.js'
import { approvalSignaturesValid } from './request/approval-signatures-valid.js'
import { approvalsAfterCreation } from './request/approvals-after-creation.js'
import { approvalsFresh } from './request/approvals-fresh.js'
import { approvalsNotFromFuture } from './request/approvals-not-from-future.js'
import { approvalsOfThisIntent } from './request/approvals-of-this-intent.js'
import { approversPinned } from './request/approvers-pinned.js'
import { assetAllowed } from './request/asset-allowed.js'
import { batchFeePaidBySender } from './request/batch-fee-paid-by-sender.js'
import { destinationAllowed } from './request/destination-allowed.js'
import { destinationMine } from './request/destination-mine.js'
import { feeLimitInNativeCoin } from './request/fee-limit-in-native-coin.js'
import { gasFundingInNativeCoin } from './request/gas-funding-in-native-coin.js'
import { idOfItsKind } from './request/id-of-its-kind.js'
import { initiatorNotApproving } from './request/initiator-not-approving.js'
import { intentAlreadyCreated } from './request/intent-already-created.js'
import { intentHashMatches } from './request/intent-hash-matches.js'
import { intentNewerThanRestore } from './request/intent-newer-than-restore.js'
import { intentNotExpired } from './request/intent-not-expired.js'
import { itemsKnown } from './request/items-known.js'
import { itemsMatchKind } from './request/items-match-kind.js'
import { journalNotLocked } from './request/journal-not-locked.js'
import { kindAllowed } from './request/kind-allowed.js'
import { merchantMatches } from './request/merchant-matches.js'
import { networkAllowed } from './request/network-allowed.js'
import { notRejected } from './request/not-rejected.js'
import { payloadOnIntentNetwork } from './request/payload-on-intent-network.js'
import { quorumConfigured } from './request/quorum-configured.js'
import { quorumMet } from './request/quorum-met.js'
import { signerMatches } from './request/signer-matches.js'
import { signerNotPaused } from './request/signer-not-paused.js'
import { atMostOneChange } from './utxo/at-most-one-change.js'
import { changeMine } from './utxo/change-mine.js'
import { changeNearKnown } from './utxo/change-near-known.js'
import { changePathAllowed } from './utxo/change-path-allowed.js'
import { feeRateWithinPolicy } from './utxo/fee-rate-within-policy.js'
import { feeWithinIntent as utxoFeeWithinIntent } from './utxo/fee-within-intent.js'
import { feeWithinPolicy as utxoFeeWithinPolicy } from './utxo/fee-within-policy.js'
import { inputPathsAllowed } from './utxo/input-paths-allowed.js'
import { inputScriptsMine } from './utxo/input-scripts-mine.js'
import { inputsCoverOutputs } from './utxo/inputs-cover-outputs.js'
import { inputsDistinct } from './utxo/inputs-distinct.js'
import { inputsPresent } from './utxo/inputs-present.js'
import { locktimeZero } from './utxo/locktime-zero.js'
import { outputsAboveDust } from './utxo/outputs-above-dust.js'
import { outputsPresent } from './utxo/outputs-present.js'
import { parentsHashToOutpoints } from './utxo/parents-hash-to-outpoints.js'
import { parentsPresent } from './utxo/parents-present.js'
import { psbtKnownFieldsOnly } from './utxo/psbt-known-fields-only.js'
import { psbtUnsigned } from './utxo/psbt-unsigned.js'
import { recipientFeeSingleOutput } from './utxo/recipient-fee-single-output.js'
import { recipientsInOrder } from './utxo/recipients-in-order.js'
import { recipientsPaid } from './utxo/recipients-paid.js'
import { sequencesAllowed } from './utxo/sequences-allowed.js'
import { sighashAllOnly } from './utxo/sighash-all-only.js'
import { transactionVersionAllowed } from './utxo/transaction-version-allowed.js'
import { witnessUtxosAgree } from './utxo/witness-utxos-agree.js'

/** The checks of one walk, by what they look at. */
export interface CheckList {
  /** Asked of the request and its approvals, before the payload is looked at. */
  readonly request: readonly Check<RequestContext>[]
  /** Asked of a PSBT. */
  readonly utxo: readonly Check<UtxoContext>[]
  /** Asked of an EIP-1559 payload. */
  readonly evm: readonly Check<EvmContext>[]
  /** Asked of the journal, last. */
  readonly journal: readonly Check<PayloadContext>[]
}

/** All of them; there is no way to switch one off. */
export const ALL_CHECKS: CheckList = {
  request: [
    { name: 'signer-not-paused', run: signerNotPaused },
    { name: 'journal-not-locked', run: journalNotLocked },
    { name: 'merchant-matches', run: merchantMatches },
    { name: 'signer-matches', run: signerMatches },
    { name: 'id-of-its-kind', run: idOfItsKind },
    { name: 'kind-allowed', run: kindAllowed, purpose: 'pay' },
    { name: 'intent-hash-matches', run: intentHashMatches },
    { name: 'items-match-kind', run: itemsMatchKind },
    { name: 'items-known', run: itemsKnown },
    { name: 'network-allowed', run: networkAllowed },
    { name: 'cancel-allowed', run: cancelAllowed, purpose: 'cancel' },
    { name: 'payload-on-intent-network', run: payloadOnIntentNetwork },
    { name: 'asset-allowed', run: assetAllowed },
    { name: 'batch-fee-paid-by-sender', run: batchFeePaidBySender, purpose: 'pay' },
    { name: 'fee-limit-in-native-coin', run: feeLimitInNativeCoin, purpose: 'pay' },
    { name: 'gas-funding-in-native-coin', run: gasFundingInNativeCoin, purpose: 'pay' },
    { name: 'destination-allowed', run: destinationAllowed, purpose: 'pay' },
    { name: 'destination-mine', run: destinationMine, purpose: 'pay' },
    { name: 'intent-not-expired', run: intentNotExpired, purpose: 'pay', once: true },
    { name: 'intent-already-created', run: intentAlreadyCreated, purpose: 'pay', once: true },
    { name: 'intent-newer-than-restore', run: intentNewerThanRestore, purpose: 'pay' },
    { name: 'quorum-configured', run: quorumConfigured, purpose: 'pay' },
    { name: 'approvers-pinned', run: approversPinned, purpose: 'pay' },
    { name: 'approvals-of-this-intent', run: approvalsOfThisIntent, purpose: 'pay' },
    { name: 'initiator-not-approving', run: initiatorNotApproving, purpose: 'pay' },
    { name: 'approvals-not-from-future', run: approvalsNotFromFuture, purpose: 'pay', once: true },
    { name: 'approvals-fresh', run: approvalsFresh, purpose: 'pay', once: true },
    { name: 'approvals-after-creation', run: approvalsAfterCreation, purpose: 'pay' },
    { name: 'quorum-met', run: quorumMet, purpose: 'pay' },
    { name: 'not-rejected', run: notRejected, purpose: 'pay' },
    { name: 'approval-signatures-valid', run: approvalSignaturesValid, purpose: 'pay' },
  ],
  utxo: [
    { name: 'psbt-known-fields-only', run: psbtKnownFieldsOnly },
    { name: 'psbt-unsigned', run: psbtUnsigned },
    { name: 'sighash-all-only', run: sighashAllOnly },
    { name: 'transaction-version-allowed', run: transactionVersionAllowed },
    { name: 'locktime-zero', run: locktimeZero },
    { name: 'sequences-allowed', run: sequencesAllowed },
    { name: 'inputs-distinct', run: inputsDistinct },
    { name: 'inputs-present', run: inputsPresent },
    { name: 'outputs-present', run: outputsPresent },
    { name: 'parents-present', run: parentsPresent },
    { name: 'parents-hash-to-outpoints', run: parentsHashToOutpoints },
    { name: 'witness-utxos-agree', run: witnessUtxosAgree },
    { name: 'input-paths-allowed', run: inputPathsAllowed },
    { name: 'input-scripts-mine', run: inputScriptsMine },
    { name: 'recipients-paid', run: recipientsPaid, purpose: 'pay' },
    { name: 'recipients-in-order', run: recipientsInOrder, purpose: 'pay' },
    { name: 'recipient-fee-single-output', run: recipientFeeSingleOutput, purpose: 'pay' },
    { name: 'at-most-one-change', run: atMostOneChange },
    { name: 'change-path-allowed', run: changePathAllowed },
    { name: 'change-mine', run: changeMine },
    { name: 'change-near-known', run: changeNearKnown },
    { name: 'outputs-above-dust', run: outputsAboveDust },
    { name: 'inputs-cover-outputs', run: inputsCoverOutputs },
    { name: 'utxo-fee-within-intent', run: utxoFeeWithinIntent, purpose: 'pay' },
    { name: 'utxo-fee-within-policy', run: utxoFeeWithinPolicy, purpose: 'pay' },
    { name: 'fee-rate-within-policy', run: feeRateWithinPolicy, purpose: 'pay' },
  ],
  evm: [
    { name: 'type-two-fields-only', run: typeTwoFieldsOnly },
    { name: 'numbers-fit', run: numbersFit },
    { name: 'chain-id-matches', run: chainIdMatches },
    { name: 'paying-path-allowed', run: payingPathAllowed },
    { name: 'paying-address-mine', run: payingAddressMine },
    { name: 'single-recipient', run: singleRecipient },
    { name: 'called-address-matches', run: calledAddressMatches, purpose: 'pay' },
    { name: 'native-calldata-empty', run: nativeCalldataEmpty, purpose: 'pay' },
    { name: 'native-amount-matches', run: nativeAmountMatches, purpose: 'pay' },
    { name: 'cancel-to-itself', run: cancelToItself, purpose: 'cancel' },
    { name: 'cancel-value-zero', run: cancelValueZero, purpose: 'cancel' },
    { name: 'cancel-calldata-empty', run: cancelCalldataEmpty, purpose: 'cancel' },
    { name: 'token-value-zero', run: tokenValueZero, purpose: 'pay' },
    { name: 'token-call-is-transfer', run: tokenCallIsTransfer, purpose: 'pay' },
    { name: 'token-call-canonical', run: tokenCallCanonical, purpose: 'pay' },
    { name: 'token-recipient-matches', run: tokenRecipientMatches, purpose: 'pay' },
    { name: 'token-amount-matches', run: tokenAmountMatches, purpose: 'pay' },
    { name: 'token-fee-paid-by-sender', run: tokenFeePaidBySender, purpose: 'pay' },
    { name: 'evm-fee-within-intent', run: evmFeeWithinIntent, purpose: 'pay' },
    { name: 'evm-fee-within-policy', run: evmFeeWithinPolicy, purpose: 'pay' },
    { name: 'gas-price-within-policy', run: gasPriceWithinPolicy, purpose: 'pay' },
    { name: 'tip-within-price', run: tipWithinPrice },
    { name: 'tip-within-policy', run: tipWithinPolicy },
    { name: 'nonce-plausible', run: noncePlausible },
  ],
  journal: [
    { name: 'intent-unchanged', run: intentUnchanged },
    { name: 'items-in-one-part', run: itemsInOnePart },
    { name: 'same-conflict-set', run: sameConflictSet },
    { name: 'nonce-free', run: nonceFree },
    { name: 'outpoints-free', run: outpointsFree },
    { name: 'cancel-of-signed', run: cancelOfSigned, purpose: 'cancel' },
    { name: 'cancel-fee-within-policy', run: cancelFeeWithinPolicy, purpose: 'cancel' },
    { name: 'cancel-within-daily-fees', run: cancelWithinDailyFees, purpose: 'cancel', once: true },
    { name: 'within-attempt-count', run: withinAttemptCount, once: true },
    { name: 'batch-fee-within-intent', run: batchFeeWithinIntent, purpose: 'pay' },
    { name: 'within-transaction-limit', run: withinTransactionLimit, purpose: 'pay', once: true },
    { name: 'within-daily-limit', run: withinDailyLimit, purpose: 'pay', once: true },
    { name: 'within-gas-funding-limit', run: withinGasFundingLimit, purpose: 'pay', once: true },
    { name: 'within-gas-funding-budget', run: withinGasFundingBudget, purpose: 'pay', once: true },
    { name: 'within-movement-count', run: withinMovementCount, purpose: 'pay', once: true },
    { name: 'within-fee-budget', run: withinFeeBudget, purpose: 'pay', once: true },
  ],
}
