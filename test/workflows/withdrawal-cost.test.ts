/** Counts what an ordinary withdrawal costs Temporal: the events of its history. */

import { setTimeout as sleep } from 'node:timers/promises'
import { temporal as proto } from '@temporalio/proto'
import { parseEther } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withdrawalId } from '../../temporal/ids.js'
import { type EthereumRail, openEthereum } from '../stage/open-ethereum.js'
import type { Stage } from '../stage/start-stage.js'

const { EventType } = proto.api.enums.v1
let rail: EthereumRail
let stage: Stage

beforeAll(async () => {
  rail = await openEthereum({
    wei: parseEther('10'),
    // As in production, a block comes before the bytes are sent again.
    environment: { KEYTURN_REBROADCAST_INTERVAL: '1m' },
  })
  stage = rail.stage
})
afterAll(() => rail?.close())

/** Waits until the signer has asked for work once. */
async function untilOnline(): Promise<void> {
  while ((await stage.api.database.sql`SELECT FROM signers WHERE online`).count === 0) await sleep(50)
}

test('needs at most 50 events from the request to the settled books, and shows each stage in which it waits', async () => {
  stage.signer.run()
  const to_address = `0x${'ab'.repeat(20)}`
  const id = await stage.request({ network: 'ethereum', coin: 'eth', amount: '1', to_address })
  await stage.until(id, 'pending_approval')
  await untilOnline()
  await stage.approve(id)
  await stage.until(id, 'confirmed')
  await stage.ended(id, 'ordinary')
  const handle = rail.temporal.client.workflow.getHandle(withdrawalId(id))
  const { events } = await handle.fetchHistory()
  if (!events) throw new Error('The run has a history')
  expect(events.length).toBeLessThanOrEqual(50)
  const activities = events.flatMap(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? [],
  )
  expect(activities).toEqual(['carryWithdrawal', 'followToEnd'])
  // A worker that dies with a step, or loses its dispatch, delays it by no more than this.
  const heartbeats = events.flatMap(
    (event) => event.activityTaskScheduledEventAttributes?.heartbeatTimeout?.seconds ?? [],
  )
  expect(heartbeats.map(Number)).toEqual([15, 15])
  const stages = events.flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upserted }) => {
    const data = upserted?.searchAttributes?.indexedFields?.Stage?.data
    return data ? [JSON.parse(Buffer.from(data).toString())] : []
  })
  expect(stages.flat()).toEqual(['pending_approval', 'approved', 'confirming', 'confirmed'])
  const timers = events.filter((event) => event.eventType === EventType.EVENT_TYPE_TIMER_STARTED)
  expect(timers.map((event) => Buffer.from(event.userMetadata?.summary?.data ?? []).toString())).toEqual([
    expect.stringMatching(/^"Expires 20.* UTC"$/),
    expect.stringMatching(/ is sent and waits for a block"$/),
  ])
})
