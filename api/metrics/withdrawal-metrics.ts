/**
 * Writes the metrics of withdrawals as Prometheus text. They come from the database, so all processes show
 * the same.
 */

import { ALERT_KINDS } from '../../db/operations/alerts/raise-alert.js'
import { DURATION_BUCKETS } from '../../db/operations/measure-withdrawals.js'
import type { WithdrawalGauges, WithdrawalTotal } from '../../db/operations/read-withdrawal-gauges.js'

import { groupBy } from '../../domain/group-by.js'

type Labels = Readonly<Record<string, string>>

/** Writes the metrics. They name no merchant and no withdrawal. */
export function describeWithdrawals({ totals, queues, alerts, signers }: WithdrawalGauges): string {
  const lines: string[] = []
  const metric = (name: string, type: string, help: string) =>
    lines.push(`# HELP keyturn_${name} ${help}`, `# TYPE keyturn_${name} ${type}`)
  const sample = (name: string, labels: Labels, value: number | bigint) =>
    lines.push(`keyturn_${name}${write(labels)} ${value}`)

  metric('withdrawals_total', 'counter', 'Ended withdrawals, by outcome')
  for (const total of totals)
    sample('withdrawals_total', { ...of(total), outcome: total.outcome }, total.count)

  const confirmed = totals.filter((total) => total.outcome === 'confirmed')
  metric('withdrawal_duration_seconds', 'histogram', 'Time from request to confirmation')
  for (const total of confirmed) {
    const labels = of(total)
    for (const [index, bound] of DURATION_BUCKETS.entries()) {
      sample(
        'withdrawal_duration_seconds_bucket',
        { ...labels, le: String(bound) },
        total.buckets[index] ?? 0n,
      )
    }
    sample('withdrawal_duration_seconds_bucket', { ...labels, le: '+Inf' }, total.count)
    sample('withdrawal_duration_seconds_sum', labels, total.seconds)
    sample('withdrawal_duration_seconds_count', labels, total.count)
  }

  const fees = "base units of the network's own coin"
  metric(
    'withdrawal_fees_paid_total',
    'counter',
    `Network fees of ended withdrawals that cost one, in ${fees}`,
  )
  for (const [labels, paid] of sums(totals, (total) => total.fee_paid)) {
    sample('withdrawal_fees_paid_total', labels, paid)
  }
  metric(
    'withdrawal_fees_estimated_total',
    'counter',
    `Estimated network fees of the same withdrawals, in ${fees}`,
  )
  for (const [labels, estimated] of sums(totals, (total) => total.fee_estimated)) {
    sample('withdrawal_fees_estimated_total', labels, estimated)
  }

  metric('withdrawal_queue_length', 'gauge', 'Withdrawals under way')
  for (const queue of queues)
    sample('withdrawal_queue_length', { ...of(queue), stage: queue.stage }, queue.length)
  metric('withdrawal_queue_oldest_seconds', 'gauge', 'Age of the oldest withdrawal under way')
  for (const queue of queues) {
    sample('withdrawal_queue_oldest_seconds', { ...of(queue), stage: queue.stage }, queue.oldest)
  }

  metric('signers', 'gauge', "Customers' signers, online and offline")
  sample('signers', { state: 'online' }, signers.online)
  sample('signers', { state: 'offline' }, signers.offline)
  metric('signer_silence_seconds', 'gauge', 'Longest silence of a signer')
  sample('signer_silence_seconds', {}, signers.silence)

  metric('alerts', 'gauge', 'Open alerts')
  for (const kind of ALERT_KINDS) sample('alerts', { kind }, alerts.get(kind) ?? 0)
  sample('alerts', { kind: 'signer.offline' }, signers.offline)
  return `${lines.join('\n')}\n`
}

function of({ kind, network, coin }: Pick<WithdrawalTotal, 'kind' | 'network' | 'coin'>): Labels {
  return { kind, network, coin }
}

/** Sums over all outcomes, because a reverted transaction costs its fee as well. */
function sums(
  totals: readonly WithdrawalTotal[],
  value: (total: WithdrawalTotal) => bigint,
): (readonly [Labels, bigint])[] {
  const groups = groupBy(totals, (total) => JSON.stringify(of(total)))
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    return first ? [[of(first), group.reduce((sum, each) => sum + value(each), 0n)] as const] : []
  })
}

function write(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}
