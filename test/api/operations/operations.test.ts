/** Health, metrics and the document of the API. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../../api/create-app.js'
import { createMetrics } from '../../../api/metrics/metrics.js'
import { saveNodeReports } from '../../../db/operations/save-node-reports.js'
import { startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api?.database.drop())

const get = (path: string) => api.app.request(`http://api.test${path}`)
interface Operation {
  security?: unknown
  parameters?: { name: string; in: string }[]
  responses: Record<string, unknown>
}
interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, unknown>>
}
const readDocument = async () => (await (await get('/openapi.json')).json()) as Document

test('reports that the process is alive and ready', async () => {
  expect((await get('/healthz')).status).toBe(200)
  const ready = await get('/readyz')
  expect(ready.status).toBe(200)
  expect(await ready.json()).toEqual({
    success: true,
    data: {
      status: 'ready',
      postgres: 'ok',
      temporal: 'not_configured',
      dependencies: expect.arrayContaining([
        { name: 'postgres', ok: true, needed: true, reason: null, lag_seconds: null },
        { name: 'temporal', ok: true, needed: false, reason: null, lag_seconds: null },
        {
          name: 'ethereum',
          ok: false,
          needed: false,
          reason: 'No block has been scanned yet',
          lag_seconds: null,
        },
        { name: 'signer', ok: true, needed: false, reason: null, lag_seconds: null },
      ]),
    },
  })
})

test('names an unused node with its reason, in readiness and in the metrics', async () => {
  const own = await startTestApi()
  const { sql } = own.database
  const request = (path: string) => own.app.request(`http://api.test${path}`)
  const dependency = async (name: string) => {
    const { data } = (await (await request('/readyz')).json()) as {
      data: { dependencies: { name: string; ok: boolean; reason: string | null }[] }
    }
    return data.dependencies.find((each) => each.name === name)
  }
  const wrong = { endpoint: 1, state: 'wrong_chain', reason: 'it serves chain 1, not 31337' } as const
  await saveNodeReports(sql, 'ethereum', [wrong])
  expect(await dependency('ethereum')).toMatchObject({
    ok: false,
    reason: 'endpoint 1 (wrong_chain): it serves chain 1, not 31337',
  })
  expect(await own.metrics()).toContain(
    'keyturn_node_usable{network="ethereum",endpoint="1",state="wrong_chain"} 0',
  )

  // The network works with another node beside it, and the wrong node is still named.
  await sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('ethereum', 90, '00', 100)`
  await saveNodeReports(sql, 'ethereum', [wrong, { endpoint: 2, state: 'ok', reason: null }])
  expect(await dependency('ethereum')).toMatchObject({
    ok: true,
    reason: expect.stringContaining('wrong_chain'),
    lag_seconds: 120,
  })

  await saveNodeReports(sql, 'ethereum', [{ endpoint: 1, state: 'ok', reason: null }])
  expect(await dependency('ethereum')).toMatchObject({ ok: true, reason: null })
  const metrics = await own.metrics()
  expect(metrics).toContain('keyturn_node_usable{network="ethereum",endpoint="1",state="ok"} 1')
  expect(metrics).not.toContain('wrong_chain')

  await sql`UPDATE chain_cursors SET updated_at = now() - interval '5 minutes'`
  expect(await dependency('ethereum')).toMatchObject({
    ok: false,
    reason: expect.stringMatching(/^The chain watcher has made no progress for 30\d s$/),
  })
  await own.database.drop()
})

test('is alive and has metrics without PostgreSQL, but is not ready', async () => {
  const away = await startTestApi()
  await away.database.sql.end({ timeout: 1 })
  const request = (path: string) => away.app.request(`http://api.test${path}`)
  expect((await request('/healthz')).status).toBe(200)
  expect((await request('/readyz')).status).toBe(503)
  expect(await away.metrics()).toContain('keyturn_postgres_up 0')
  await away.database.drop()
})

test('counts requests by route and never by id, and shows the chains', async () => {
  await api.database.sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height) VALUES ('bitcoin', 90, '00', 100)`
  await api.call({ path: '/api/v1/addresses/addr_secret' })
  await get('/nothing/at/all')
  const text = await api.metrics()
  expect(text).toContain('method="GET",route="/api/v1/addresses/:id",status="404"')
  expect(text).toContain('route="unknown"')
  expect(text).not.toContain('addr_secret')
  expect(text).toContain('keyturn_chain_lag_blocks{network="bitcoin"} 10')
  expect(text).toContain('keyturn_postgres_up 1')
})

test('documents every route with its parameters and errors', async () => {
  const document = await readDocument()
  expect(document.openapi).toBe('3.1.0')
  const pages = ['/checkout/*', '/cashier', '/cashier/*', '/assets/*', '/export-files/*']
  const undocumented = ['/openapi.json', '/docs', '/docs/*', '/signer/v1/*', ...pages]
  const routes = new Set(
    api.app.routes
      .filter(({ method, path }) => method !== 'ALL' && !undocumented.some((each) => covers(each, path)))
      .map(({ method, path }) => `${method.toLowerCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`),
  )
  const documented = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path}`),
  )
  expect(documented.filter((each) => !each.includes(' /signer/')).sort()).toEqual([...routes].sort())
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const named = (operation.parameters ?? []).filter((each) => each.in === 'path').map((each) => each.name)
      expect(named.sort(), `${method} ${path}`).toEqual(
        [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort(),
      )
      if (path.startsWith('/api/v1/')) {
        expect(operation.security, `${method} ${path}`).toBeDefined()
        expect(operation.responses).toHaveProperty('default')
      }
    }
  }
})

test('resolves every reference in the document', async () => {
  const document = await readDocument()
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    (match) => match[1] ?? '',
  )
  expect(references.length).toBeGreaterThan(10)
  for (const reference of references) {
    let at: unknown = document
    for (const part of reference.split('/')) at = (at as Record<string, unknown>)[part]
    expect(at, reference).toBeDefined()
  }
  for (const scheme of ['ApiKey', 'Timestamp', 'Nonce', 'Signature'])
    expect(document.components.securitySchemes).toHaveProperty(scheme)
})

test('documents that a body has no unknown fields, as the validation requires', async () => {
  const document = await readDocument()
  const create = document.paths['/api/v1/addresses']?.post as unknown as {
    requestBody: { content: { 'application/json': { schema: Record<string, unknown> } } }
  }
  const { schema } = create.requestBody.content['application/json']
  expect(schema).toMatchObject({ type: 'object', additionalProperties: false })
  expect(schema.required).toEqual(['user_reference', 'network'])
})

test('loads nothing for the reference from other sites', async () => {
  const page = await get('/docs')
  const html = await page.text()
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(html).not.toMatch(/https?:\/\//)
  for (const [, asset] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
    expect((await get(asset ?? '')).status, asset).toBe(200)
  }
  expect((await get('/docs/../package.json')).status).toBe(404)
})

test('separates the metrics of two apps in one process', () => {
  expect(() => createApp(api.dependencies)).not.toThrow()
})

function covers(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path
}

test('serves no metrics on the port of the API without a token', async () => {
  const answer = await get('/metrics')
  expect(answer.status).toBe(404)
  expect(await answer.text()).not.toContain('keyturn_')
})

test('reads the database once for scrapes within some seconds', async () => {
  const metrics = createMetrics(api.database.sql, api.dependencies.networks, 60_000)
  await Promise.all(Array.from({ length: 10 }, () => metrics.expose()))
  await api.database.sql`UPDATE chain_cursors SET height = 95 WHERE network = 'bitcoin'`
  const shown = (await metrics.expose()).body
  expect(shown).toContain('keyturn_chain_lag_blocks{network="bitcoin"} 10')
  expect((await createMetrics(api.database.sql, api.dependencies.networks).expose()).body).toContain(
    'keyturn_chain_lag_blocks{network="bitcoin"} 5',
  )
})
