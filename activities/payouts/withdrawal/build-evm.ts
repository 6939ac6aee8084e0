/** Builds the transaction of a payout on an EVM network. */

import type { EvmAdapter, EvmBuildResult } from '../../../chains/adapter.js'
import { listPayingWallets, type PayingWallet } from '../../../db/payouts/attempts/list-paying-wallets.js'
import { queueTransaction } from '../../../db/payouts/attempts/queue-transaction.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'
import { knownCoin, nativeCoin } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { BuildFailure, BuildStep } from './build-step.js'
import type { WaitStep, WithdrawalChainDependencies } from './dependencies.js'

/**
 * Pays from the wallet that was requested, or else from the first of hot and master wallet that has enough.
 */
export async function buildEvm(
  dependencies: WithdrawalChainDependencies,
  adapter: EvmAdapter,
  row: PayoutRow,
): Promise<BuildStep | BuildFailure> {
  const wallets = await listPayingWallets(dependencies.sql, row)
  if (wallets.length === 0) {
    return {
      kind: 'waiting',
      code: 'NO_SIGNER',
      message: `No signer holds a wallet of ${row.network} that may pay`,
    }
  }
  let step: BuildStep | BuildFailure | null = null
  for (const wallet of wallets) {
    const tried = await payFrom(dependencies, adapter, row, wallet)
    if (tried.kind === 'done') return tried
    // A wallet without funds says nothing about the next one. Any other reason holds for all wallets.
    if (tried.kind === 'failed' || tried.code !== 'INSUFFICIENT_WALLET_FUNDS') return tried
    step ??= tried
  }
  return step ?? { kind: 'done' }
}

async function payFrom(
  dependencies: WithdrawalChainDependencies,
  adapter: EvmAdapter,
  row: PayoutRow,
  wallet: PayingWallet,
): Promise<BuildStep | BuildFailure> {
  const { sql, networks } = dependencies
  const native = nativeCoin(adapter.network).name
  const byRecipient = row.fee_payer === 'recipient'
  const { height } = await adapter.head()
  const built = await adapter.build({
    from: wallet.address,
    derivationPath: wallet.derivation_path,
    coin: row.coin,
    to: row.to_address,
    // The fee comes out of the amount, so the wallet never needs the amount and the fee limit together.
    amount: byRecipient ? row.amount - row.fee_limit : row.amount,
    priority: row.priority,
    feeLimit: row.fee_limit,
  })
  if (built.kind !== 'built') return explain(adapter, row, wallet, built)
  const amount = byRecipient ? row.amount - built.maxFee : row.amount
  const nativeBalance = await adapter.balance(wallet.address, native)
  const result = await queueTransaction(sql, networks, row.id, {
    family: 'evm',
    signerId: wallet.signer_id,
    coin: row.coin,
    amount,
    maxFee: built.maxFee,
    fromAddress: wallet.address,
    fromAddressId: wallet.id,
    payload: byRecipient ? { ...built.payload, value: amount.toString() } : built.payload,
    chainNonce: built.chainNonce,
    nativeCoin: native,
    balance: {
      coin: row.coin === native ? nativeBalance : await adapter.balance(wallet.address, row.coin),
      native: nativeBalance,
      height,
    },
  })
  if (result !== 'short') return { kind: 'done' }
  return {
    kind: 'waiting',
    code: 'INSUFFICIENT_WALLET_FUNDS',
    message: `The ${wallet.kind} wallet ${wallet.address} has payouts under way that leave too little for this one`,
  }
}

function explain(
  adapter: EvmAdapter,
  row: PayoutRow,
  wallet: PayingWallet,
  built: Exclude<EvmBuildResult, { kind: 'built' }>,
): WaitStep | BuildFailure {
  switch (built.kind) {
    case 'insufficient_funds': {
      const coin = knownCoin(adapter.network, built.coin)
      return {
        kind: 'waiting',
        code: 'INSUFFICIENT_WALLET_FUNDS',
        message: `The ${wallet.kind} wallet ${wallet.address} lacks ${formatAmount(built.missing, coin.decimals)} ${coin.name}; fund it`,
      }
    }
    case 'fee_too_high': {
      const { name, decimals } = nativeCoin(adapter.network)
      return {
        kind: 'waiting',
        code: 'FEE_TOO_HIGH',
        message: `The network asks for a fee of ${formatAmount(built.fee, decimals)} ${name}, more than the limit of ${formatAmount(row.fee_limit, decimals)}`,
      }
    }
    case 'would_revert':
      return { kind: 'failed', code: 'WOULD_REVERT', message: `The transfer would fail: ${built.reason}` }
  }
}
