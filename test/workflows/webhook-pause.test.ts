/** Pausing and resuming an endpoint, and an answer of 410, on a real Temporal server. */

import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { EndpointRow } from '../../db/events/webhooks/endpoint-row.js'
import { moveEndpoint } from '../../db/events/webhooks/move-endpoint.js'
import { startSealer } from '../../workers/sealer.js'
import { changeEndpoint } from '../stage/change-endpoint.js'
import { startWebhookStage, type WebhookStage } from '../stage/webhook-stage.js'
import { answers, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js'

let stage: WebhookStage
let sealer: Awaited<ReturnType<typeof startSealer>>
beforeAll(async () => {
  stage = await startWebhookStage({ retryIntervalMs: 300_000 })
  sealer = await startSealer({
    sql: stage.database.sql,
    workflowClient: () => stage.temporal.client.workflow,
    log: pino({ level: 'silent' }),
  })
})
afterAll(async () => {
  await sealer?.stop()
  await stage?.close()
})

const move = (endpoint: EndpointRow, status: 'active' | 'paused') =>
  changeEndpoint(stage.database.sql, endpoint.id, (tx) =>
    moveEndpoint(tx, stage.platform.merchantId, endpoint.id, status),
  )
const idOf = (request: WebhookReceiver['received'][number]) => String(request.headers['webhook-id'])
const append = () => stage.database.sql.begin((tx) => stage.platform.append(tx))

describe('a paused endpoint', () => {
  test('gets nothing, and after it is resumed each event once, in order, never two at a time', async () => {
    const receiver = await startWebhookReceiver()
    let open = 0
    let most = 0
    receiver.behave((response) => {
      open += 1
      most = Math.max(most, open)
      setTimeout(() => {
        open -= 1
        response.writeHead(204).end()
      }, 30)
    })
    const endpoint = await stage.platform.endpoint(receiver.url)
    await move(endpoint, 'paused')
    const held: string[] = []
    for (let number = 0; number < 6; number += 1) held.push(await append())
    await vi.waitFor(async () => {
      const last = await stage.platform.delivery(held[5] ?? '', endpoint)
      expect(last.status).toBe('held')
    })
    expect(receiver.received).toEqual([])
    await move(endpoint, 'active')
    held.push(await append())
    await receiver.count(held.length)
    expect(receiver.received.map(idOf)).toEqual(held)
    expect(most).toBe(1)
    await move(endpoint, 'paused')
    await receiver.close()
  })

  test('gets a delivery in its turn that was failing before, and its later attempts by its own timer', async () => {
    const receiver = await startWebhookReceiver()
    receiver.behave(answers(500))
    const endpoint = await stage.platform.endpoint(receiver.url)
    const failing = await append()
    await receiver.count(1)
    await vi.waitFor(async () => {
      expect((await stage.platform.delivery(failing, endpoint)).attempts).toHaveLength(1)
    })
    await move(endpoint, 'paused')
    const later = await append()
    await vi.waitFor(async () => {
      expect((await stage.platform.delivery(later, endpoint)).status).toBe('held')
    })
    await move(endpoint, 'active')
    await receiver.count(3)
    expect(receiver.received.map(idOf)).toEqual([failing, failing, later])
    await vi.waitFor(async () => {
      for (const event of [failing, later]) {
        const { status, next_attempt_at: next } = await stage.platform.delivery(event, endpoint)
        expect(status).toBe('pending')
        expect((next?.getTime() ?? 0) - Date.now()).toBeGreaterThan(200_000)
      }
    })
    await move(endpoint, 'paused')
    await receiver.close()
  })
})

test('holds every delivery of an endpoint that answers 410, and sends them when it is resumed', async () => {
  const receiver = await startWebhookReceiver()
  receiver.behave(answers(410))
  const endpoint = await stage.platform.endpoint(receiver.url)
  const first = await append()
  await vi.waitFor(async () => {
    expect(await stage.platform.delivery(first, endpoint)).toMatchObject({
      status: 'held',
      next_attempt_at: null,
      attempts: [{ status_code: 410, error: 'HTTP 410', failure_class: 'contract_rejected' }],
    })
  })
  const second = await append()
  expect(await stage.platform.handle(first, endpoint).result()).toBe('held')
  expect(receiver.received).toHaveLength(1)
  receiver.behave(answers(204))
  await move(endpoint, 'active')
  await receiver.count(3)
  expect(receiver.received.slice(0, 3).map(idOf)).toEqual([first, first, second])
  await receiver.close()
})
