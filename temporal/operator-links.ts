/** The filters of the Temporal UI by which operators find what matters among thousands of webhooks. */

import type { WithdrawalStage } from '../domain/payouts/withdrawal-stage.js'
import { CONTROL_CHANGE_WORKFLOW } from './ids.js'
import { SEARCH_ATTRIBUTE } from './search-attributes.js'

export interface OperatorLink {
  readonly title: string
  /** Query of Temporal's visibility API. */
  readonly query: string
}

/** Group in which operators look for a payout of each stage. `null` for those that need no one. */
const GROUP: Readonly<Record<WithdrawalStage, 'people' | 'signer' | 'chain' | 'failed' | null>> = {
  requested: 'signer',
  pending_review: 'people',
  pending_approval: 'people',
  approved: 'signer',
  building: 'signer',
  pending_signature: 'signer',
  signed: 'signer',
  broadcasting: 'chain',
  confirming: 'chain',
  confirmed: null,
  rejected: null,
  expired: 'failed',
  cancelled: null,
  failed: 'failed',
  reverted: 'failed',
}

const RUNNING = 'ExecutionStatus = "Running"'

/** Returns the filters, with the deposits since the beginning of a day (UTC). */
export function operatorLinks(now: Date): OperatorLink[] {
  const today = `${now.toISOString().slice(0, 10)}T00:00:00Z`
  return [
    {
      title: 'Payouts and batches that wait for people',
      query: `WorkflowType IN ("withdrawal", "batch") AND ${RUNNING} AND ${stagesOf('people')}`,
    },
    {
      title: 'Payouts that wait for a build or the signer',
      query: `WorkflowType = "withdrawal" AND ${RUNNING} AND ${stagesOf('signer')}`,
    },
    {
      title: 'Payouts that wait for the chain',
      query: `WorkflowType = "withdrawal" AND ${RUNNING} AND ${stagesOf('chain')}`,
    },
    {
      title: 'Payouts and batches that failed',
      query: `WorkflowType IN ("withdrawal", "batch") AND ${stagesOf('failed')}`,
    },
    { title: 'Payments that wait for their payer', query: `WorkflowType = "payment" AND ${RUNNING}` },
    { title: 'Deposits of today', query: `WorkflowType = "deposit" AND StartTime >= "${today}"` },
    {
      title: 'Changes of controls that wait',
      query: `WorkflowType IN (${quoted(Object.values(CONTROL_CHANGE_WORKFLOW))}) AND ${RUNNING}`,
    },
    { title: 'Webhooks not delivered yet', query: `WorkflowType = "webhookDelivery" AND ${RUNNING}` },
    {
      title: 'Workflows that broke off',
      query: 'ExecutionStatus IN ("Failed", "TimedOut", "Terminated")',
    },
    { title: 'Everything but webhooks', query: 'WorkflowType != "webhookDelivery"' },
  ]
}

/** Returns the address of the web UI's list of workflows with a filter. */
export function operatorUrl(ui: string, namespace: string, query: string): string {
  return `${ui}/namespaces/${encodeURIComponent(namespace)}/workflows?query=${encodeURIComponent(query)}`
}

function stagesOf(group: 'people' | 'signer' | 'chain' | 'failed'): string {
  const stages = Object.entries(GROUP).flatMap(([stage, of]) => (of === group ? [stage] : []))
  return `${SEARCH_ATTRIBUTE.stage.name} IN (${quoted(stages)})`
}

function quoted(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(', ')
}
