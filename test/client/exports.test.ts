/** Exports with the client: a stream that is read or fails, and a job that is waited for. */

import { expect, test } from 'vitest'
import { ApiError } from '../../client/api-error.js'
import { createClient } from '../../client/create-client.js'
import { untilExported } from '../../client/exports.js'

function clientOf(answer: (url: URL, init: RequestInit) => Response | Promise<Response>) {
  return createClient({
    baseUrl: 'http://api.test',
    apiKey: 'k',
    apiSecret: 's',
    fetch: async (url, init) => answer(new URL(url), init),
  })
}

test('streams an export with its filters, and returns the body unread', async () => {
  const asked: string[] = []
  const client = clientOf((url) => {
    asked.push(url.pathname + url.search)
    return new Response('sequence\r\n1\r\n', { headers: { 'content-type': 'text/csv' } })
  })
  const { body } = await client.exports.stream('ledger', { format: 'csv', account: 'available:a&b' })
  expect(asked).toEqual(['/api/v1/exports/ledger?format=csv&account=available%3Aa%26b'])
  expect(await new Response(body).text()).toBe('sequence\r\n1\r\n')
})

test('throws the error of a refused stream', async () => {
  const error = { code: 'RATE_LIMITED', message: 'later', details: { retry_after: 10 }, request_id: 'r' }
  const client = clientOf(() => Response.json({ success: false, error }, { status: 429 }))
  const refused = client.exports.stream('ledger')
  await expect(refused).rejects.toBeInstanceOf(ApiError)
  await expect(refused).rejects.toMatchObject({ status: 429, code: 'RATE_LIMITED' })
})

test('waits until a job is done, and throws when it failed or its file is gone', async () => {
  const job = { id: 'exp_1', url: null, failure: null }
  const states: object[] = []
  const client = clientOf(() => Response.json({ success: true, data: states.shift() }))
  const wait = () => untilExported(client, 'exp_1', { pollMs: 1 })
  states.push(
    { ...job, status: 'queued' },
    { ...job, status: 'running' },
    { ...job, status: 'done', url: 'u' },
  )
  expect(await wait()).toMatchObject({ status: 'done', url: 'u' })
  states.push({ ...job, status: 'failed', failure: { code: 'EXPORT_STORAGE_FULL', message: 'no room' } })
  await expect(wait()).rejects.toThrow('no room')
  states.push({ ...job, status: 'done' })
  await expect(wait()).rejects.toThrow('was deleted')
  states.push({ ...job, status: 'queued' })
  await expect(untilExported(client, 'exp_1', { signal: AbortSignal.timeout(5) })).rejects.toThrow()
})
