/** The server on its port: malformed requests, uploads that are cut off, and metrics. */

import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../../api/create-app.js'
import { listen } from '../../../api/http/listen.js'
import { createMetricsApp } from '../../../api/metrics/metrics-app.js'
import { signedHeaders, startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
let server: Server
let port: number
beforeAll(async () => {
  api = await startTestApi({ KEYTURN_METRICS_TOKEN: 'token-of-a-scraper' })
  server = await listen(api.app, { host: '127.0.0.1', port: 0 })
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  server?.close()
  server?.closeAllConnections()
  await api?.database.drop()
})

/** Sends bytes, and reads until the server closes or has answered. */
async function raw(
  text: string,
  options: { readonly half?: boolean } = {},
): Promise<{ status: number; body: string }> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(text)
  if (options.half) socket.end()
  let answer = ''
  for await (const chunk of socket) {
    answer += chunk
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? -1)
    if (length >= 0 && Buffer.byteLength(body) >= length) break
  }
  socket.destroy()
  return { status: Number(answer.split(' ')[1]), body: answer.split('\r\n\r\n')[1] ?? '' }
}

test.each([
  ['a Host that is none', 'GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n', 400, 'MALFORMED_REQUEST'],
  ['a Host with a path', 'GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n', 400, 'MALFORMED_REQUEST'],
  ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400, 'MALFORMED_REQUEST'],
  ['a path that is none', 'GET /\\..\\x HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'MALFORMED_REQUEST'],
  ['what is no HTTP', 'hello\r\n\r\n', 400, 'MALFORMED_REQUEST'],
  [
    'headers that are too large',
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
    431,
    'HEADERS_TOO_LARGE',
  ],
  [
    'an Expect of another kind',
    'GET / HTTP/1.1\r\nHost: a\r\nExpect: coffee\r\n\r\n',
    400,
    'MALFORMED_REQUEST',
  ],
])('%s is answered in the shape of every error', async (_name, sent, status, code) => {
  const answer = await raw(sent)
  expect(answer.status).toBe(status)
  expect(JSON.parse(answer.body)).toEqual({
    success: false,
    error: { code, message: expect.any(String), details: {}, request_id: expect.stringMatching(/^req_/) },
  })
})

test('counts an upload that is cut off as the sender’s fault, not as an outage', async () => {
  const errors: unknown[] = []
  const log = {
    ...api.dependencies.log,
    error: (...each: unknown[]) => errors.push(each),
    warn() {},
    info() {},
  }
  const observed = createApp({ ...api.dependencies, log: log as never })
  const statuses: number[] = []
  const own = await listen(
    {
      fetch: async (request: Request, env: never) => {
        const response = await observed.fetch(request, env)
        statuses.push(response.status)
        return response
      },
    } as never,
    { host: '127.0.0.1', port: 0 },
  )
  for (const framing of ['Content-Length: 1000', 'Transfer-Encoding: chunked']) {
    const headers = signedHeaders(api.key, { path: '/api/v1/addresses', method: 'POST', body: '{}' })
    const socket = connect((own.address() as AddressInfo).port, '127.0.0.1')
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`POST /api/v1/addresses HTTP/1.1\r\nHost: a\r\n${lines.join('')}${framing}\r\n\r\n`)
    socket.write(framing.startsWith('T') ? '2\r\n{"\r\n' : '{"')
    await new Promise((resolve) => setTimeout(resolve, 200))
    socket.resetAndDestroy()
    await once(socket, 'close')
  }
  for (let wait = 0; statuses.length < 2 && wait < 100; wait++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  expect(statuses).toEqual([400, 400])
  expect(errors).toEqual([])
  own.close()
  own.closeAllConnections()
})

test('serves metrics on their own port, and on the port of the API with the token only', async () => {
  const url = `http://127.0.0.1:${port}/metrics`
  expect((await fetch(url)).status).toBe(401)
  expect((await fetch(url, { headers: { Authorization: 'Bearer other' } })).status).toBe(401)
  const shown = await fetch(url, { headers: { Authorization: 'Bearer token-of-a-scraper' } })
  expect(shown.status).toBe(200)
  expect(await shown.text()).toContain('keyturn_postgres_up 1')

  let scrapes = 0
  const expose = async () => ({ contentType: 'text/plain', body: `scrape ${++scrapes}` })
  const own = await listen(createMetricsApp({ expose }), { host: '127.0.0.1', port: 0 })
  const base = `http://127.0.0.1:${(own.address() as AddressInfo).port}`
  expect(await (await fetch(`${base}/metrics`)).text()).toBe('scrape 1')
  const other = await fetch(`${base}/healthz`)
  expect([other.status, ((await other.json()) as { error: { code: string } }).error.code]).toEqual([
    404,
    'NOT_FOUND',
  ])
  own.close()
  own.closeAllConnections()
})
