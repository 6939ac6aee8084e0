/** The filters for operators, on a real server: each finds its workflows and no other. */

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WITHDRAWAL_STAGES } from '../../domain/payouts/withdrawal-stage.js'
import { operatorLinks, operatorUrl } from '../../temporal/operator-links.js'
import { SEARCH_ATTRIBUTE } from '../../temporal/search-attributes.js'
import { type TestTemporal, testTemporal } from '../support/temporal.js'

let temporal: TestTemporal
beforeAll(async () => {
  temporal = await testTemporal()
})
afterAll(() => temporal.close())

/** Workflows of the namespace. The status is that of the execution, which no worker takes. */
const WORKFLOWS = [
  ...WITHDRAWAL_STAGES.map((stage) => ({ type: 'withdrawal', id: `withdrawal-${stage}`, stage })),
  { type: 'withdrawal', id: 'withdrawal-over', stage: 'pending_approval', terminated: true },
  { type: 'batch', id: 'batch-pending_review', stage: 'pending_review' },
  { type: 'batch', id: 'batch-expired', stage: 'expired' },
  { type: 'payment', id: 'payment' },
  { type: 'payment', id: 'payment-over', terminated: true },
  { type: 'deposit', id: 'deposit' },
  { type: 'deposit', id: 'deposit-over', terminated: true },
  { type: 'policyChange', id: 'policyChange' },
  { type: 'whitelist', id: 'whitelist' },
  { type: 'depositRelease', id: 'depositRelease' },
  { type: 'exceptionResolution', id: 'exceptionResolution' },
  { type: 'periodClose', id: 'periodClose' },
  { type: 'periodReopen', id: 'periodReopen' },
  { type: 'settlementResume', id: 'settlementResume' },
  { type: 'webhookDelivery', id: 'webhook' },
  { type: 'webhookDelivery', id: 'webhook-over', terminated: true },
  { type: 'chainWatcher', id: 'chain-watcher' },
]
const BROKEN = ['withdrawal-over', 'payment-over', 'deposit-over', 'webhook-over']
const FINDS: Record<string, string[]> = {
  'Payouts and batches that wait for people': [
    'withdrawal-pending_review',
    'withdrawal-pending_approval',
    'batch-pending_review',
  ],
  'Payouts that wait for a build or the signer': [
    'withdrawal-requested',
    'withdrawal-approved',
    'withdrawal-building',
    'withdrawal-pending_signature',
    'withdrawal-signed',
  ],
  'Payouts that wait for the chain': ['withdrawal-broadcasting', 'withdrawal-confirming'],
  'Payouts and batches that failed': [
    'withdrawal-failed',
    'withdrawal-expired',
    'withdrawal-reverted',
    'batch-expired',
  ],
  'Payments that wait for their payer': ['payment'],
  'Deposits of today': ['deposit', 'deposit-over'],
  'Changes of controls that wait': [
    'policyChange',
    'whitelist',
    'depositRelease',
    'exceptionResolution',
    'periodClose',
    'periodReopen',
    'settlementResume',
  ],
  'Webhooks not delivered yet': ['webhook'],
  'Workflows that broke off': BROKEN,
  'Everything but webhooks': WORKFLOWS.map(({ id }) => id).filter((id) => !id.startsWith('webhook')),
}

test('finds what each title names, by the query in the address', async () => {
  for (const { type, id, ...options } of WORKFLOWS) {
    const handle = await temporal.client.workflow.start(type, {
      taskQueue: 'no-worker',
      workflowId: id,
      ...('stage' in options && options.stage
        ? { typedSearchAttributes: [{ key: SEARCH_ATTRIBUTE.stage, value: options.stage }] }
        : {}),
    })
    if ('terminated' in options) await handle.terminate()
  }
  const found: Record<string, string[]> = {}
  // Visibility follows the workflows with a delay.
  for (let attempt = 0; attempt < 100; attempt += 1) {
    for (const { title, query } of operatorLinks(new Date())) {
      const address = new URL(operatorUrl(temporal.ui, temporal.namespace, query))
      found[title] = await idsOf(address.searchParams.get('query') ?? '')
    }
    if (JSON.stringify(found) === JSON.stringify(sorted(FINDS))) break
    await sleep(100)
  }
  expect(found).toEqual(sorted(FINDS))
})

test('counts only deposits since the beginning of the day', async () => {
  const [tomorrow] = operatorLinks(new Date(Date.now() + 86_400_000)).filter(({ query }) =>
    query.includes('StartTime'),
  )
  expect(await idsOf(tomorrow?.query ?? '')).toEqual([])
})

test('opens a page of the web UI', async () => {
  const [link] = operatorLinks(new Date())
  const response = await fetch(operatorUrl(temporal.ui, temporal.namespace, link?.query ?? ''))
  expect(response.status).toBe(200)
  expect(await response.text()).toContain('<html')
})

test('stands in the operators’ page word for word', () => {
  const page = readFileSync(new URL('../../docs/operating/temporal-ui.md', import.meta.url), 'utf8')
  for (const { title, query } of operatorLinks(new Date('2026-01-31T12:00:00Z'))) {
    expect(page).toContain(title)
    expect(page).toContain(query)
  }
})

async function idsOf(query: string): Promise<string[]> {
  const ids: string[] = []
  for await (const { workflowId } of temporal.client.workflow.list({ query })) ids.push(workflowId)
  return ids.sort()
}

function sorted(lists: Record<string, string[]>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(lists).map(([title, ids]) => [title, ids.toSorted()]))
}
