/** Checks an export of the ledger: no gap, running balances, journals that sum to zero; and adds up the accounts. */

import { parseDecimal, showDecimal } from './decimal.js'
import type { Findings } from './findings.js'
import { readLines } from './read-lines.js'

/** An account of the ledger at the end of the period. */
export interface AccountAtEnd {
  /** Kind and owner, as the export names it: `chain:addr_…`. */
  readonly account: string
  readonly network: string
  readonly coin: string
  /** Scaled, with the ledger's sign. */
  readonly balance: bigint
}

export interface LedgerResult {
  readonly accounts: readonly AccountAtEnd[]
  /** Ids of deposits that the ledger credited in time and did not take back. */
  readonly credited: ReadonlySet<string>
}

const CHECK = 'ledger'
/** What a journal does to the credit of its deposit. */
const CREDIT: Readonly<Record<string, number>> = { 'deposit.success': 1, 'deposit.reverted': -1 }

/**
 * Checks every line.
 *
 * @param end - End of the period, ISO 8601, not included. Later lines are checked too, and not added up.
 */
export async function checkLedger(path: string, end: string, findings: Findings): Promise<LedgerResult> {
  const running = new Map<string, bigint>()
  const atEnd = new Map<string, bigint>()
  const credits = new Map<string, number>()
  /** Sums of the journals of one instant, by journal, network and coin; all entries of a journal have one time. */
  let open = new Map<string, bigint>()
  /** Journals with a line that is wrong. Their sums say nothing more. */
  let faulty = new Set<string>()
  let instant = ''
  let sequence = 0
  let lines = 0
  const close = () => {
    for (const [key, sum] of open) {
      const [journal = '', network, coin] = JSON.parse(key) as string[]
      if (sum !== 0n && !faulty.has(journal))
        findings.fault(
          CHECK,
          `journal ${journal} does not balance: ${showDecimal(sum)} ${coin} on ${network} too much`,
        )
    }
    open = new Map()
    faulty = new Set()
  }
  for await (const { line, value } of readLines(path)) {
    const at = `line ${line}`
    const amount = parseDecimal(value?.amount)
    const after = parseDecimal(value?.balance_after)
    if (!value || amount === null || after === null) {
      findings.fault(CHECK, `${at} is no entry of the ledger`)
      continue
    }
    lines += 1
    const { account, network, coin, recorded_at: recordedAt } = value as Record<string, string>
    const [journal, type, reference] = [value.journal_id, value.type, value.reference].map(String)
    const time = String(recordedAt)
    if (time !== instant) {
      close()
      if (time < instant) findings.fault(CHECK, `${at} is older than the line before it`)
      instant = time
    }
    sequence += 1
    if (value.sequence !== sequence) {
      findings.fault(CHECK, `${at} has the sequence ${String(value.sequence)}, and should have ${sequence}`)
      sequence = Number(value.sequence)
    }
    const key = JSON.stringify([account, network, coin])
    const expected = (running.get(key) ?? 0n) + amount
    if (expected !== after) {
      faulty.add(journal ?? '')
      findings.fault(
        CHECK,
        `${at} (sequence ${sequence}): balance_after of ${account} in ${coin} on ${network} is ${showDecimal(after)}, ` +
          `and the amounts give ${showDecimal(expected)}`,
      )
    }
    running.set(key, after)
    const sum = JSON.stringify([journal, network, coin])
    open.set(sum, (open.get(sum) ?? 0n) + amount)
    if (time >= end) continue
    atEnd.set(key, after)
    const step = CREDIT[type ?? ''] ?? 0
    if (step !== 0 && String(account).startsWith('available'))
      credits.set(reference ?? '', (credits.get(reference ?? '') ?? 0) + step)
  }
  close()
  if (findings.faults(CHECK) === 0)
    findings.holds(CHECK, `${lines} entries without a gap; every journal and every balance adds up`)
  return {
    accounts: [...atEnd].map(([key, balance]) => {
      const [account = '', network = '', coin = ''] = JSON.parse(key) as string[]
      return { account, network, coin, balance }
    }),
    credited: new Set([...credits].filter(([, count]) => count > 0).map(([id]) => id)),
  }
}
