/** Checks a closed period: its hash, and that its trial balance is what the entries add up to. */

import { type PeriodBooks, periodHash } from '../../domain/books/period-books.js'
import type { AccountAtEnd } from './check-ledger.js'
import { parseDecimal, showDecimal } from './decimal.js'
import type { Findings } from './findings.js'

/** The answer of `GET /periods/{period}`, as far as it is checked. */
export interface ClosedPeriod extends PeriodBooks {
  readonly status: string
  readonly hash: string | null
  /** End of the window, not included. */
  readonly to: string
}

/** Checks hash and trial balance. @param accounts - `null` when the ledger has faults, which are named already. */
export function checkPeriod(
  period: ClosedPeriod,
  accounts: readonly AccountAtEnd[] | null,
  findings: Findings,
): void {
  if (period.status !== 'closed')
    findings.fault('period', `${period.period} is ${period.status}, and not closed`)
  else if (periodHash(period) !== period.hash)
    findings.fault(
      'period',
      `the hash is ${period.hash}, and the books of the period have ${periodHash(period)}`,
    )
  else findings.holds('period', `the hash of ${period.period} is that of its trial balance and its proof`)
  if (accounts === null) {
    findings.unchecked('trial balance', 'it was not compared, because the ledger has faults')
    return
  }
  const claimed = claimedSums(period, findings)
  const entries = new Map<string, bigint>()
  for (const { account, network, coin, balance } of accounts) {
    const key = JSON.stringify([classOf(account), account.split(':')[0], network, coin])
    entries.set(key, (entries.get(key) ?? 0n) + balance)
  }
  for (const key of new Set([...claimed.keys(), ...entries.keys()])) {
    const [ours, theirs] = [entries.get(key) ?? 0n, claimed.get(key) ?? 0n]
    if (ours === theirs) continue
    const [kind, account, network, coin] = JSON.parse(key) as string[]
    findings.fault(
      'trial balance',
      `${kind} ${account} in ${coin} on ${network} is ${showDecimal(theirs)}, and the entries add up to ${showDecimal(ours)}`,
    )
  }
  if (findings.faults('trial balance') === 0)
    findings.holds('trial balance', `${claimed.size} lines equal the entries, and each coin sums to zero`)
}

function claimedSums(period: ClosedPeriod, findings: Findings): Map<string, bigint> {
  const claimed = new Map<string, bigint>()
  const coins = new Map<string, bigint>()
  for (const line of period.trial_balance) {
    const balance = parseDecimal(line.balance)
    if (balance === null) {
      findings.fault('trial balance', `${line.account} in ${line.coin} on ${line.network} has no amount`)
      continue
    }
    claimed.set(JSON.stringify([line.class, line.account, line.network, line.coin]), balance)
    const coin = `${line.coin} on ${line.network}`
    coins.set(coin, (coins.get(coin) ?? 0n) + balance)
  }
  for (const [coin, sum] of coins)
    if (sum !== 0n) findings.fault('trial balance', `${coin} sums to ${showDecimal(sum)}, and not to zero`)
  return claimed
}

/** Names the class of an account as the platform's own books do: what users own is owed, what is left is equity. */
function classOf(account: string): string {
  if (account.startsWith('chain')) return 'asset'
  if (account.startsWith('network_fee')) return 'expense'
  return account.includes(':') ? 'liability' : 'equity'
}
