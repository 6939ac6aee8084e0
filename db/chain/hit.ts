/** Describes a transfer to an own address that is ready to be recorded. */

import type { Block, Transfer, TransferDetails } from '../../chains/adapter.js'
import { byFamily } from '../../domain/chain/by-family.js'
import { confirmationsUnder } from '../../domain/chain/confirmations.js'
import { knownCoin, type Network } from '../../domain/chain/network.js'
import { formatAmount } from '../../domain/money.js'
import type { DepositRow } from '../deposits/deposit-row.js'
import { newId } from '../new-id.js'
import type { MatchedAddress, MatchedPayment, ReplacedPayments } from './match-transfers.js'

export interface Hit<T extends Transfer = Transfer> {
  readonly transfer: T
  readonly address: MatchedAddress
  /**
   * Whether it is a deposit. False for change and other movements between own wallets, which are outputs
   * only.
   */
  readonly deposit: boolean
  /** Whether it would be a deposit but is below the network's minimum, so that it is only counted. */
  readonly small?: boolean
  /** Details. `null` if the node did not give them; a credit does not wait for them. */
  readonly details: TransferDetails | null
}

/** Confirmations of a coinbase output before it can be spent (Bitcoin's COINBASE_MATURITY). */
const COINBASE_MATURITY = 100

/** Returns the key of a deposit on its network. */
export const hitKey = (txid: string, index: number): string => `${txid}:${index}`

/** Returns sources, destinations and fee in the form of the row's columns. */
function detailColumns(
  network: Network,
  hit: Hit,
): Partial<Pick<DepositRow, 'sources' | 'destinations' | 'fee'>> {
  if (!hit.details) return {}
  const { decimals } = knownCoin(network, hit.transfer.coin)
  const shown = (each: { readonly address: string; readonly amount: bigint }) => ({
    address: each.address,
    amount: formatAmount(each.amount, decimals),
  })
  return {
    sources: hit.details.sources.map(shown),
    destinations: hit.details.destinations.map(shown),
    ...(hit.details.fee === null ? {} : { fee: hit.details.fee }),
  }
}

/**
 * Returns the columns of a deposit in no block that follow the transfer as it is seen now: amount, threshold
 * and its payer.
 */
export function termsOf(
  network: Network,
  hit: Hit,
  before?: DepositRow,
): Pick<DepositRow, 'amount' | 'required_confirmations'> & ReturnType<typeof detailColumns> {
  const { transfer, address } = hit
  const required = confirmationsUnder(address.confirmationTiers, network, transfer.coin, transfer.amount)
  // Details of another amount do not describe this one.
  const outdated = before !== undefined && before.amount !== transfer.amount
  return {
    amount: transfer.amount,
    required_confirmations: transfer.coinbase ? Math.max(required, COINBASE_MATURITY) : required,
    ...(outdated ? { sources: [], destinations: [], fee: null } : {}),
    ...detailColumns(network, hit),
  }
}

/**
 * Returns ", paying … instead of …" for the history, if a transfer is seen with another amount than before.
 */
export function amountChange(network: Network, hit: Hit, before: DepositRow): string {
  const { coin, amount } = hit.transfer
  if (before.amount === amount) return ''
  const { decimals } = knownCoin(network, coin)
  return `, paying ${formatAmount(amount, decimals)} instead of ${formatAmount(before.amount, decimals)} ${coin}`
}

/**
 * Makes a new row, `detected`, which is not yet written.
 *
 * @param variant - Number of other deposits that were seen at the same place of the transaction before.
 * @param block - Block that holds it. `null` in the mempool.
 * @param replaced - Open payments whose deposits it may replace.
 */
export function detectedDeposit(
  network: Network,
  hit: Hit,
  at: Date,
  cause: string,
  variant: number,
  block: MinedIn | null,
  replaced: ReplacedPayments,
): DepositRow {
  const { transfer, address } = hit
  return {
    id: newId('dep'),
    merchant_id: address.merchantId,
    network: network.name,
    coin: transfer.coin,
    address_id: address.id,
    user_reference: address.userReference,
    txid: transfer.txid,
    output_index: transfer.index,
    variant,
    status: 'detected',
    epoch: 0,
    block_number: null,
    block_hash: null,
    block_time: null,
    target_height: null,
    signalled_at: null,
    fee: null,
    sources: [],
    destinations: [],
    replaced_by: null,
    absent_since: null,
    payment_id: paymentOf(network, hit, block, replaced),
    decision: null,
    refunded_by: null,
    history: [{ status: 'detected', at: at.toISOString(), cause }],
    detected_at: at,
    updated_at: at,
    confirmed_at: null,
    credited_at: null,
    workflow_started_at: null,
    address: address.address,
    address_label: address.label,
    key_account_id: address.keyAccountId,
    asset_pool_id: address.assetPoolId,
    ...termsOf(network, hit),
  }
}

/** Height and time, in Unix seconds, of the block that holds a transfer. */
type MinedIn = Pick<Block, 'height' | 'time'>

/**
 * Returns the payment that a transfer belongs to. `null` if there is none. A payment with an amount owns its
 * address for every coin. An open one keeps what replaces its deposits, and counts its coin from its creation
 * on.
 */
function paymentOf(
  network: Network,
  { address, transfer }: Hit,
  block: MinedIn | null,
  replaced: ReplacedPayments,
): string | null {
  const owner = address.payments.find(({ coin }) => coin === null)
  const kept = replaced
    .get(transfer.txid)
    ?.find(
      (each) =>
        each.merchant_id === address.merchantId &&
        each.user_reference === address.userReference &&
        each.coin === transfer.coin,
    )
  const open = address.payments.find(
    (each) => each.coin === transfer.coin && (block === null || isNewer(network, block, each)),
  )
  return (owner ?? kept ?? open)?.id ?? null
}

/**
 * Whether a block is newer than a payment. The height of the chain that the payment knows is too low after a
 * pause of the watcher, so the time of the block counts as well, as far as the network's rules make it true.
 */
function isNewer(network: Network, block: MinedIn, payment: MatchedPayment): boolean {
  const slack = byFamily(network, { utxo: () => 7_200, evm: () => 15 })
  return block.height > payment.created_height && block.time > payment.created_at - slack
}

/** Transfer with the block that holds it. */
export interface MinedTransfer extends Transfer {
  readonly block: Block
}
