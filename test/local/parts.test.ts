/** The fixtures of real parts: database, Temporal, Anvil, btcd. */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { faucetKey } from '../../local/parts/bitcoin-faucet.js'
import { testAnvil } from '../support/anvil.js'
import { testBtcd } from '../support/btcd.js'
import { freshDatabase } from '../support/database.js'
import { testTemporal } from '../support/temporal.js'
import { timeSkippingEnvironment } from '../support/time-skipping.js'

const stops: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const stop of stops) await stop()
})

test('gives each caller a migrated database of its own', async () => {
  const [first, second] = await Promise.all([freshDatabase(), freshDatabase()])
  stops.push(first.drop, second.drop)
  await first.sql`INSERT INTO merchants (id, name) VALUES ('mer_1', 'Shop')`
  expect(await second.sql`SELECT id FROM merchants`).toHaveLength(0)
  expect(first.url).not.toBe(second.url)
})

test('registers our search attributes in each namespace', async () => {
  const temporal = await testTemporal()
  stops.push(temporal.close)
  const handle = await temporal.client.workflow.start('none', {
    taskQueue: 'core',
    workflowId: 'one',
    searchAttributes: { Merchant: ['mer_1'], Stage: ['requested'] },
  })
  expect((await handle.describe()).searchAttributes.Stage).toEqual(['requested'])
  let found: string[] = []
  for (let attempt = 0; attempt < 100 && found.length === 0; attempt += 1) {
    for await (const each of temporal.client.workflow.list({ query: `Stage = 'requested'` }))
      found = [each.workflowId]
    await sleep(50)
  }
  expect(found).toEqual(['one'])
})

test('skips time on the time-skipping server', async () => {
  const environment = await timeSkippingEnvironment()
  stops.push(() => environment.teardown())
  const before = await environment.currentTimeMs()
  await environment.sleep('1 day')
  expect((await environment.currentTimeMs()) - before).toBeGreaterThanOrEqual(86_400_000)
})

test('mines a block of Anvil on request', async () => {
  const anvil = await testAnvil({ mining: 'manual' })
  stops.push(anvil.stop)
  await anvil.mine(3)
  expect(await anvil.call('eth_blockNumber')).toBe('0x3')
  expect(await anvil.call('eth_chainId')).toBe('0x7a69')
})

describe('btcd', () => {
  test('funds addresses from coinbases and from its own change', async () => {
    const btcd = await testBtcd({ mature: 2 })
    stops.push(btcd.stop)
    const { address } = faucetKey(randomBytes(32))
    const txids = []
    // More than two coinbases: the change of one pays the next.
    for (let payment = 0; payment < 5; payment += 1) txids.push(await btcd.fund(address, 10_00000000n))
    const [hash] = await btcd.mine()
    const block = z.object({ tx: z.array(z.string()) }).parse(await btcd.call('getblock', hash, 1))
    expect(block.tx).toEqual(expect.arrayContaining(txids))
  })
})
