/** Builds the transaction that fills a nonce gap: it sends 0 from the account to itself. */

import type { EvmAdapter } from '../../../chains/adapter.js'
import { findAllocatedNonce } from '../../../db/payouts/attempts/allocate-nonce.js'
import { listRivals } from '../../../db/payouts/attempts/find-attempts.js'
import { listPayingWallets } from '../../../db/payouts/attempts/list-paying-wallets.js'
import { queueTransaction } from '../../../db/payouts/attempts/queue-transaction.js'
import type { PayoutRow } from '../../../db/payouts/payout-row.js'
import { nativeCoin } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { BuildFailure, BuildStep } from './build-step.js'
import type { WithdrawalChainDependencies } from './dependencies.js'
import { highestPrices } from './highest-prices.js'

/** Builds it, or fails when the nonce is used on the chain already: then there is no gap any more. */
export async function buildNonceFill(
  { sql, networks }: WithdrawalChainDependencies,
  adapter: EvmAdapter,
  row: PayoutRow,
): Promise<BuildStep | BuildFailure> {
  const [wallet] = await listPayingWallets(sql, row)
  const nonce = await findAllocatedNonce(sql, row.id)
  if (!wallet || nonce === null) {
    return {
      kind: 'failed',
      code: 'NO_GAP',
      message: 'There is no nonce to fill, or no signer that has its key',
    }
  }
  const chainNonce = await adapter.nonce(wallet.address)
  if (chainNonce > nonce) {
    return { kind: 'failed', code: 'NO_GAP', message: `Nonce ${nonce} is used on the chain already` }
  }
  const native = nativeCoin(adapter.network)
  // A signer may have signed an earlier fill of this nonce without reporting it. The next fill offers more,
  // so the two are never the same.
  const rivals = await listRivals(sql, { fromAddressId: wallet.id, nonce, payoutId: row.id })
  const built = await adapter.replace({
    purpose: 'cancel',
    from: wallet.address,
    derivationPath: wallet.derivation_path,
    nonce,
    call: { to: wallet.address, value: '0', data: '0x', gas: '0' },
    before: rivals.length === 0 ? null : highestPrices(rivals),
    priority: row.priority,
    feeLimit: row.fee_limit,
  })
  if (built.kind === 'fee_too_high') {
    return {
      kind: 'waiting',
      code: 'FEE_TOO_HIGH',
      message: `Filling a nonce gap would cost ${formatAmount(built.fee, native.decimals)} ${native.name}, more than the limit of ${formatAmount(row.fee_limit, native.decimals)}`,
    }
  }
  const { height } = await adapter.head()
  const balance = await adapter.balance(wallet.address, native.name)
  const result = await queueTransaction(sql, networks, row.id, {
    family: 'evm',
    purpose: 'cancel',
    signerId: wallet.signer_id,
    coin: native.name,
    amount: 0n,
    maxFee: built.maxFee,
    fromAddress: wallet.address,
    fromAddressId: wallet.id,
    payload: built.payload,
    chainNonce,
    nativeCoin: native.name,
    balance: { coin: balance, native: balance, height },
  })
  if (result !== 'short') return { kind: 'done' }
  return {
    kind: 'waiting',
    code: 'INSUFFICIENT_WALLET_FUNDS',
    message: `The wallet ${wallet.address} has too little ${native.name} to fill a nonce gap; fund it`,
  }
}
