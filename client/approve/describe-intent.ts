/** Describes an intent in words and whole coins, from the same fields that are hashed. */

import { assertNever } from '../../domain/assert-never.js'
import type {
  AnyIntent,
  DepositReleaseIntent,
  ExceptionResolutionIntent,
  Intent,
  PeriodCloseIntent,
  PeriodReopenIntent,
  PolicyIntent,
  SettlementResumeIntent,
  WhitelistIntent,
} from '../../domain/controls/intent.js'
import { formatAmount } from '../../domain/money.js'
import { visibleText } from '../../domain/visible-text.js'

/** Decimals of the coins in which fees are paid, by CAIP-2 namespace. */
const NATIVE_DECIMALS: Readonly<Record<string, number>> = { eip155: 18, bip122: 8 }

/**
 * Returns the lines that an approver reads before a decision.
 *
 * @param hash - The hash of the intent as it was computed here.
 * @param now - Milliseconds since the epoch.
 */
export function describeIntent(intent: AnyIntent, hash: string, now: number = Date.now()): string {
  const expired = Date.parse(intent.expires_at) <= now
  return [
    ...describe(intent),
    `  asked by  ${visibleText(intent.initiator)} at ${visibleText(intent.created_at)}`,
    ...changedBy(intent),
    `  expires   ${visibleText(intent.expires_at)}${expired ? ' (EXPIRED)' : ''}`,
    `  merchant  ${visibleText(intent.merchant)}`,
    `  hash      ${hash}`,
  ].join('\n')
}

/** Names the people who changed the intent after its initiator. They may not approve it either. */
function changedBy(intent: AnyIntent): string[] {
  const others = 'co_initiators' in intent ? (intent.co_initiators ?? []) : []
  return others.length === 0 ? [] : [`  changed by ${others.map(visibleText).join(', ')}`]
}

/** Returns the id of what the intent is about. */
export function subjectOf(intent: AnyIntent): string {
  switch (intent.kind) {
    case 'withdrawal':
    case 'batch':
    case 'consolidation':
    case 'gas_funding':
    case 'rebalance':
      return intent.withdrawal
    case 'policy':
      return intent.change
    case 'whitelist':
      return intent.entry
    case 'deposit_release':
      return intent.release
    case 'exception_resolution':
      return intent.exception
    case 'period_close':
    case 'period_reopen':
      return intent.period
    case 'settlement_resume':
      return intent.resumption
    default:
      return assertNever(intent)
  }
}

function describe(intent: AnyIntent): string[] {
  switch (intent.kind) {
    case 'withdrawal':
    case 'batch':
    case 'consolidation':
    case 'gas_funding':
    case 'rebalance':
      return describePayout(intent)
    case 'policy':
      return describePolicy(intent)
    case 'whitelist':
      return describeWhitelist(intent)
    case 'deposit_release':
      return describeRelease(intent)
    case 'exception_resolution':
      return describeResolution(intent)
    case 'period_close':
      return describeClose(intent)
    case 'period_reopen':
      return describeReopening(intent)
    case 'settlement_resume':
      return describeResumption(intent)
    default:
      return assertNever(intent)
  }
}

function describePolicy(intent: PolicyIntent): string[] {
  const wait = `${intent.cool_down_seconds / 3_600} h after approval`
  return [
    `policy ${visibleText(intent.change)}, from version ${intent.base_version}`,
    ...intent.changes.map((edit) => {
      const when = edit.effect === 'tightening' ? 'tightens, at once' : `LOOSENS, ${wait}`
      return `  ${visibleText(edit.field)}: ${value(edit.from)} -> ${value(edit.to)} (${when})`
    }),
  ]
}

function describeWhitelist(intent: WhitelistIntent): string[] {
  return [
    `whitelist ${visibleText(intent.entry)}`,
    `  address   ${visibleText(intent.address)}`,
    `  label     ${visibleText(intent.label)}`,
    `  network   ${visibleText(intent.network)}`,
    `  limits    ${value(intent.daily_limit)} a day, ${value(intent.monthly_limit)} in 30 days`,
    `  active    ${intent.cool_down_seconds / 3_600} h after approval`,
  ]
}

function describeRelease(intent: DepositReleaseIntent): string[] {
  const amount = `${formatAmount(BigInt(intent.amount), intent.asset.decimals)} ${visibleText(intent.asset.coin)}`
  return [
    `release ${visibleText(intent.release)} of deposit ${visibleText(intent.deposit)}`,
    `  credits   ${amount} to ${intent.user_reference === null ? 'the merchant' : visibleText(intent.user_reference)}`,
    `  paid by   ${intent.sources.length === 0 ? 'unknown' : intent.sources.map(visibleText).join(', ')}`,
    `  paid to   ${visibleText(intent.address)} in ${visibleText(intent.transaction_hash)}`,
    `  network   ${visibleText(intent.network)}`,
    `  reason    ${visibleText(intent.reason)}`,
  ]
}

function describeClose(intent: PeriodCloseIntent): string[] {
  return [
    `close of ${visibleText(intent.period)}`,
    `  window    ${visibleText(intent.from)} to ${visibleText(intent.to)}`,
    ...intent.trial_balance.map(
      (line) =>
        `  ${visibleText(line.class).padEnd(9)} ${visibleText(line.balance)} ${visibleText(line.coin)} ${visibleText(line.account)} on ${visibleText(line.network)}`,
    ),
    ...intent.proof.map(
      (block) =>
        `  block     ${block.block_number} of ${visibleText(block.network)}: ${visibleText(block.block_hash)}`,
    ),
    `  books     ${visibleText(intent.hash)}`,
  ]
}

function describeReopening(intent: PeriodReopenIntent): string[] {
  return [
    `RE-OPENING of ${visibleText(intent.period)}`,
    `  books     ${visibleText(intent.hash)}`,
    `  reason    ${visibleText(intent.reason)}`,
  ]
}

function describeResumption(intent: SettlementResumeIntent): string[] {
  return [
    `RESUMPTION of settlement ${visibleText(intent.resumption)}`,
    `  ends      pause ${visibleText(intent.pause)} since ${visibleText(intent.since)}: ${visibleText(intent.pause_reason)}`,
    `  reason    ${visibleText(intent.reason)}`,
  ]
}

function describeResolution(intent: ExceptionResolutionIntent): string[] {
  const amount = `${formatAmount(BigInt(intent.amount), intent.asset.decimals)} ${visibleText(intent.asset.coin)}`
  const party = (reference: string | null) =>
    reference === null ? 'the merchant’s own account' : visibleText(reference)
  const moves =
    intent.resolution === 'write_off'
      ? [
          `  writes off ${amount} of ${value(intent.address)} (${value(intent.address_id)})`,
          `  paid by   ${party(null)}`,
        ]
      : intent.address_id !== null
        ? [
            `  books     ${amount} that rose on ${value(intent.address)} (${value(intent.address_id)})`,
            `  to        ${party(intent.to_user_reference)}`,
          ]
        : [
            `  moves     ${amount} from ${party(intent.from_user_reference)}`,
            `  to        ${party(intent.to_user_reference)}`,
          ]
  return [
    `${intent.resolution} of exception ${visibleText(intent.exception)} (${visibleText(intent.exception_kind)})`,
    ...moves,
    `  network   ${visibleText(intent.network)}`,
    `  exception ${visibleText(intent.exception_reason)}`,
    `  comment   ${visibleText(intent.comment)}`,
  ]
}

/** Writes a value; `null` is "none". */
function value(of: unknown): string {
  return of === null ? 'none' : visibleText(typeof of === 'string' ? of : JSON.stringify(of))
}

function describePayout(intent: Intent): string[] {
  const { contract } = intent.asset
  return [
    `${intent.kind} ${visibleText(intent.withdrawal)}${intent.external_id === null ? '' : ` (${visibleText(intent.external_id)})`}`,
    ...describeOutputs(intent),
    `  network   ${visibleText(intent.network)}${contract === null ? '' : `, token ${visibleText(contract)}`}`,
    `  fee       at most ${feeLimit(intent)}, paid by the ${intent.fee_payer}`,
    `  signer    ${intent.signer === undefined ? 'NONE is named, so none will pay it' : visibleText(intent.signer)}`,
  ]
}

/**
 * Describes every output. Several outputs begin with a line that has their number and sum, and each shows its
 * index and whether its address is paid more than once.
 */
function describeOutputs({ asset, outputs }: Intent): string[] {
  const text = (amount: bigint) => `${formatAmount(amount, asset.decimals)} ${visibleText(asset.coin)}`
  if (outputs.length === 1) {
    return outputs.map(
      ({ address, amount }) => `  pays      ${text(BigInt(amount))} to ${visibleText(address)}`,
    )
  }
  const total = outputs.reduce((sum, output) => sum + BigInt(output.amount), 0n)
  const times = new Map<string, number>()
  for (const { address } of outputs) times.set(address, (times.get(address) ?? 0) + 1)
  return [
    `  payments  ${outputs.length} to ${times.size} addresses, in all ${text(total)}`,
    ...outputs.map(({ address, amount }, index) => {
      const paid = times.get(address) ?? 1
      const again = paid > 1 ? ` (one of ${paid} to this address)` : ''
      return `  ${`#${index}`.padEnd(9)} ${text(BigInt(amount))} to ${visibleText(address)}${again}`
    }),
  ]
}

function feeLimit(intent: Intent): string {
  const { coin, amount } = intent.fee_limit
  const namespace = intent.network.split(':')[0] ?? ''
  const isAsset = coin === intent.asset.coin && intent.asset.contract === null
  const decimals = isAsset ? intent.asset.decimals : NATIVE_DECIMALS[namespace]
  return decimals === undefined
    ? `${amount} base units of ${visibleText(coin)}`
    : `${formatAmount(BigInt(amount), decimals)} ${visibleText(coin)}`
}
