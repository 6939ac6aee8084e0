/** Lists the checks in their order. Each file holds one check whole: its name, its purpose and its reason. */

import { cancelAllowed } from './cancel/cancel-allowed.js'
import { cancelCalldataEmpty } from './cancel/cancel-calldata-empty.js'
import { cancelFeeWithinPolicy } from './cancel/cancel-fee-within-policy.js'
import { cancelOfSigned } from './cancel/cancel-of-signed.js'
import { cancelToItself } from './cancel/cancel-to-itself.js'
import { cancelValueZero } from './cancel/cancel-value-zero.js'
import { cancelWithinDailyCount } from './cancel/cancel-within-daily-count.js'
import { cancelWithinDailyFees } from './cancel/cancel-within-daily-fees.js'
import type { Check, EvmContext, PayloadContext, RequestContext, UtxoContext } from './check.js'
import { calledAddressMatches } from './evm/called-address-matches.js'
import { chainIdMatches } from './evm/chain-id-matches.js'
import { evmFeeWithinIntent } from './evm/fee-within-intent.js'
import { evmFeeWithinPolicy } from './evm/fee-within-policy.js'
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
import { utxoFeeWithinIntent } from './utxo/fee-within-intent.js'
import { utxoFeeWithinPolicy } from './utxo/fee-within-policy.js'
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

/** The checks of a request, by the part that they read. */
export interface CheckList {
  /** Checks of the request and its approvals. They run before the payload is read. */
  readonly request: readonly Check<RequestContext>[]
  /** Checks of a PSBT. */
  readonly utxo: readonly Check<UtxoContext>[]
  /** Checks of an EIP-1559 payload. */
  readonly evm: readonly Check<EvmContext>[]
  /** Checks that read the journal. They run last. */
  readonly journal: readonly Check<PayloadContext>[]
}

/** All checks. None can be switched off. */
export const ALL_CHECKS: CheckList = {
  request: [
    signerNotPaused,
    journalNotLocked,
    merchantMatches,
    signerMatches,
    idOfItsKind,
    kindAllowed,
    intentHashMatches,
    itemsMatchKind,
    itemsKnown,
    networkAllowed,
    cancelAllowed,
    payloadOnIntentNetwork,
    assetAllowed,
    batchFeePaidBySender,
    feeLimitInNativeCoin,
    gasFundingInNativeCoin,
    destinationAllowed,
    destinationMine,
    intentNotExpired,
    intentAlreadyCreated,
    intentNewerThanRestore,
    quorumConfigured,
    approversPinned,
    approvalsOfThisIntent,
    initiatorNotApproving,
    approvalsNotFromFuture,
    approvalsFresh,
    approvalsAfterCreation,
    quorumMet,
    notRejected,
    approvalSignaturesValid,
  ],
  utxo: [
    psbtKnownFieldsOnly,
    psbtUnsigned,
    sighashAllOnly,
    transactionVersionAllowed,
    locktimeZero,
    sequencesAllowed,
    inputsDistinct,
    inputsPresent,
    outputsPresent,
    parentsPresent,
    parentsHashToOutpoints,
    witnessUtxosAgree,
    inputPathsAllowed,
    inputScriptsMine,
    recipientsPaid,
    recipientsInOrder,
    recipientFeeSingleOutput,
    atMostOneChange,
    changePathAllowed,
    changeMine,
    changeNearKnown,
    outputsAboveDust,
    inputsCoverOutputs,
    utxoFeeWithinIntent,
    utxoFeeWithinPolicy,
    feeRateWithinPolicy,
  ],
  evm: [
    typeTwoFieldsOnly,
    numbersFit,
    chainIdMatches,
    payingPathAllowed,
    payingAddressMine,
    singleRecipient,
    calledAddressMatches,
    nativeCalldataEmpty,
    nativeAmountMatches,
    cancelToItself,
    cancelValueZero,
    cancelCalldataEmpty,
    tokenValueZero,
    tokenCallIsTransfer,
    tokenCallCanonical,
    tokenRecipientMatches,
    tokenAmountMatches,
    tokenFeePaidBySender,
    evmFeeWithinIntent,
    evmFeeWithinPolicy,
    gasPriceWithinPolicy,
    tipWithinPrice,
    tipWithinPolicy,
    noncePlausible,
  ],
  journal: [
    intentUnchanged,
    itemsInOnePart,
    sameConflictSet,
    nonceFree,
    outpointsFree,
    cancelOfSigned,
    cancelFeeWithinPolicy,
    cancelWithinDailyCount,
    cancelWithinDailyFees,
    withinAttemptCount,
    batchFeeWithinIntent,
    withinTransactionLimit,
    withinDailyLimit,
    withinGasFundingLimit,
    withinGasFundingBudget,
    withinMovementCount,
    withinFeeBudget,
  ],
}
