/** The client and the OpenAPI document: each has what the other has. */

import { expect, test } from 'vitest'
import { createClient } from '../../client/create-client.js'
import { startTestApi } from '../stage/test-api.js'

type Method = (...args: unknown[]) => Promise<unknown>

/**
 * Returns every method of the client by its path, such as `withdrawals.create`. `request` has no operation of
 * its own.
 */
function methodsOf(client: object, path: string[] = []): [string, Method][] {
  return Object.entries(client).flatMap(([name, value]): [string, Method][] => {
    const here = [...path, name]
    if (typeof value === 'function') return name === 'request' ? [] : [[here.join('.'), value as Method]]
    return methodsOf(value as object, here)
  })
}

test('has a method for every operation for merchants, and an operation for every method', async () => {
  const api = await startTestApi()
  const { paths } = (await (await api.app.request('http://api.test/openapi.json')).json()) as {
    paths: Record<string, Record<string, { tags?: string[] }>>
  }
  await api.database.drop()
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      name: `${method.toUpperCase()} ${path}`,
      // The second argument of each method is `{}`, also where it is the id of a part of the object.
      matches: new RegExp(
        `^${method.toUpperCase()} ${path.replace(/\{\w+\}/, '~id~').replace(/\{\w+\}/, encodeURIComponent(String({})))}$`,
      ),
    })),
  )
  const asked: string[] = []
  const client = createClient({
    baseUrl: 'http://api.test',
    apiKey: 'k',
    apiSecret: 's',
    fetch: async (url, { method }) => {
      asked.push(`${method} ${new URL(url).pathname}`)
      return Response.json({ success: true, data: [], pagination: { has_more: false } })
    },
  })
  const strangers: string[] = []
  const called = new Set<unknown>()
  for (const [name, method] of methodsOf(client)) {
    asked.length = 0
    await method('~id~', {})
    const [call] = asked
    const operation = operations.find(({ matches }) => call !== undefined && matches.test(call))
    // An answer that is also a file has a method for each.
    if (operation) called.add(operation)
    else strangers.push(`${name}: ${call}`)
  }
  expect(strangers).toEqual([])
  const uncalled = operations.filter((each) => !called.has(each)).map(({ name }) => name)
  expect(uncalled.filter((name) => name.includes('/api/v1'))).toEqual([])
})
