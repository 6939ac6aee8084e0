/** The workflow of a deposit credits it once, through reorganisations, crashes and screening. */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WorkflowFailedError } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dispatchPending } from '../../activities/chain/dispatch-pending.js'
import { creditDeposit } from '../../db/deposits/credit-deposit.js'
import type { Network } from '../../domain/chain/network.js'
import { verifyWebhookSignature } from '../../domain/events/webhook-signature.js'
import { depositId } from '../../temporal/ids.js'
import { ChainModel } from '../stage/chain-model.js'
import { depositPlatform, eventually, SCREENING_SECRET, untilStatus } from '../stage/deposit-platform.js'
import {
  bitcoin,
  ethereum,
  eventStatuses,
  ledger,
  merchantWith,
  networks,
  scan,
  type TestAddress,
} from '../stage/deposit-steps.js'
import { storeHistory } from '../stage/histories.js'

const network: Network = bitcoin
const platform = depositPlatform(new Map([bitcoin, ethereum].map((each) => [each.name, each])))
const model = new ChainModel(network)
const adapter = model.adapter()
const ethereumModel = new ChainModel(ethereum)
let alice: TestAddress
let user = 0

beforeAll(async () => {
  await scan(platform.sql, adapter)
  await scan(platform.sql, ethereumModel.adapter())
  await platform.startWorkers(['core', 'chain'], [adapter, ethereumModel.adapter()])
})

/** Issues an address of a user whom no other test uses. */
async function setup() {
  const merchant = await merchantWith(platform.sql)
  const name = `user-${++user}`
  alice = await merchant.address('bitcoin', name)
  return { merchant, name, to: (amount: bigint) => ({ payee: alice.payee, coin: 'btc', amount }) }
}

/** Takes one step of the watcher, when the test decides. */
async function step() {
  await scan(platform.sql, adapter)
  await dispatchPending(platform.sql, network, platform.gate)
}

const handleOf = (txid: string) => platform.temporal.client.workflow.getHandle(depositId('bitcoin', txid, 0))

async function keep(name: string, txid: string) {
  const history = await platform.history('bitcoin', txid)
  await storeHistory(name, async () => history)
  return history.events?.length ?? 0
}

test('credits a deposit that was first seen in the mempool within 24 events', async () => {
  const { name, to } = await setup()
  const { txid } = model.pay(to(50_000n))
  await step()
  await eventually(async () => {
    const [row] = await platform.sql`SELECT workflow_started_at FROM deposits WHERE txid = ${txid}`
    expect(row?.workflow_started_at).toBeInstanceOf(Date)
  })
  for (let block = 0; block < 3; block++) {
    model.mine()
    await step()
  }
  expect(await handleOf(txid).result()).toBe('credited')
  expect(await ledger(platform.sql, 'available', name)).toBe(50_000n)
  expect(await keep('deposit.mempool', txid)).toBeLessThanOrEqual(24)
})

test('credits a deposit that was first seen in a block within 18 events', async () => {
  const { to } = await setup()
  const { txid } = model.pay(to(50_000n))
  model.mine()
  await step()
  // The workflow waits by its timer before the threshold is reached.
  await eventually(async () => {
    const events = (await platform.history('bitcoin', txid)).events ?? []
    expect(events.some((event) => event.timerStartedEventAttributes)).toBe(true)
  })
  model.mine()
  model.mine()
  await step()
  expect(await handleOf(txid).result()).toBe('credited')
  expect(await keep('deposit.block', txid)).toBeLessThanOrEqual(18)
})

test('credits a deposit without a timer or a signal when a late scan finds it at its threshold', async () => {
  const { to } = await setup()
  const { txid } = model.pay(to(50_000n))
  for (let block = 0; block < 5; block++) model.mine()
  await step()
  expect(await handleOf(txid).result()).toBe('credited')
  expect(await keep('deposit.catch-up', txid)).toBeLessThanOrEqual(8)
})

test('shows operators what a deposit waits for', async () => {
  const { name, to } = await setup()
  const { txid } = model.pay(to(50_000n))
  model.mine()
  await step()
  await eventually(async () => {
    const description = await handleOf(txid).describe()
    expect(await description.staticSummary()).toBe(`Deposit of 0.0005 btc for ${name}`)
    expect(description.searchAttributes).toMatchObject({ Network: ['bitcoin'], Coin: ['btc'] })
    const metadata = await handleOf(txid).query<{ currentDetails?: string }>('__temporal_workflow_metadata')
    expect(metadata.currentDetails).toMatch(/\*\*0\.0005 btc for .*\n\n2 blocks to go, expected about 20/)
  })
})

test('ends the workflow of a replaced deposit', async () => {
  const { to } = await setup()
  const first = model.pay(to(50_000n))
  await step()
  model.send(model.transaction([to(40_000n)], first.inputs))
  await step()
  expect(await handleOf(first.txid).result()).toBe('replaced')
  expect(await keep('deposit.replaced', first.txid)).toBeLessThanOrEqual(24)
})

test('ends its run when an unconfirmed deposit leaves the chain, and credits it in a new run when it is mined again', async () => {
  const { name, to } = await setup()
  const transaction = model.pay(to(50_000n))
  model.mine()
  await step()
  const first = (await handleOf(transaction.txid).describe()).runId
  model.orphan(1)
  model.mine([])
  model.mine([])
  await step()
  expect(await handleOf(transaction.txid).result()).toBe('reverted')
  await keep('deposit.reverted', transaction.txid)
  model.mine([transaction])
  model.mine([])
  model.mine([])
  await step()
  await untilStatus(platform.sql, transaction.txid, 'success')
  expect((await handleOf(transaction.txid).describe()).runId).not.toBe(first)
  expect(await ledger(platform.sql, 'available', name)).toBe(50_000n)
})

test('credits a deposit once that leaves the chain after its credit and comes back', async () => {
  const { name, to } = await setup()
  const transaction = model.pay(to(50_000n))
  for (let block = 0; block < 4; block++) model.mine()
  await step()
  await untilStatus(platform.sql, transaction.txid, 'success')
  model.orphan(4)
  model.mine([])
  model.mine([])
  model.mine([])
  model.mine([])
  model.mine([transaction])
  model.mine([])
  model.mine([])
  await step()
  await untilStatus(platform.sql, transaction.txid, 'success')
  expect(await ledger(platform.sql, 'available', name)).toBe(50_000n)
  expect(await eventStatuses(platform.sql, transaction.txid)).toEqual([
    'detected',
    'unconfirmed',
    'confirmed',
    'screening_requested',
    'success',
    'reverted',
    'unconfirmed',
    'confirmed',
    'screening_requested',
    'success',
  ])
})

test('credits another user in a new workflow when a transaction that is mined again pays that user', async () => {
  const merchant = await merchantWith(platform.sql)
  const [first, second] = await Promise.all([
    merchant.address('ethereum', 'first'),
    merchant.address('ethereum', 'second'),
  ])
  const step = async () => {
    await scan(platform.sql, ethereumModel.adapter())
    await dispatchPending(platform.sql, ethereum, platform.gate)
  }
  const transaction = ethereumModel.pay({ payee: first.payee, coin: 'usdt', amount: 1_000_000n })
  ethereumModel.mine()
  await step()
  ethereumModel.orphan(1)
  ethereumModel.mine([
    ethereumModel.altered(transaction, [{ payee: second.payee, coin: 'usdt', amount: 7_000_000n }]),
  ])
  for (let block = 0; block < 3; block++) ethereumModel.mine()
  await step()
  await eventually(async () => {
    const rows = await platform.sql`
      SELECT user_reference, status FROM deposits WHERE txid = ${transaction.txid} ORDER BY variant`
    expect(rows).toEqual([
      { user_reference: 'first', status: 'replaced' },
      { user_reference: 'second', status: 'success' },
    ])
  })
  const workflow = (variant: number) =>
    platform.temporal.client.workflow.getHandle(depositId('ethereum', transaction.txid, 0, variant)).result()
  // The workflow may have read its row between the two steps.
  expect(['reverted', 'replaced']).toContain(await workflow(0))
  expect(await workflow(1)).toBe('credited')
  expect(await ledger(platform.sql, 'available', 'first', 'usdt')).toBe(0n)
  expect(await ledger(platform.sql, 'available', 'second', 'usdt')).toBe(7_000_000n)
})

test('ignores signals that mean nothing at its stage', async () => {
  const { to } = await setup()
  const { txid } = model.pay(to(50_000n))
  model.mine()
  await step()
  for (const signal of ['heightReached', 'reorged', 'replaced', 'nonsense'])
    await handleOf(txid).signal(signal, { any: 1 })
  model.mine()
  model.mine()
  await step()
  expect(await handleOf(txid).result()).toBe('credited')
})

test('starts by the sweeper after a crash between commit and start', async () => {
  const { name, to } = await setup()
  const { txid } = model.pay(to(50_000n))
  for (let block = 0; block < 3; block++) model.mine()
  await scan(platform.sql, adapter)
  const crashing = {
    ...platform.gate,
    startDeposit: () => Promise.reject(Object.assign(new Error('killed'), { code: 14 })),
  }
  await expect(dispatchPending(platform.sql, network, crashing)).rejects.toThrow('killed')
  await expect(handleOf(txid).describe()).rejects.toThrow(/not found/i)
  await platform.temporal.client.workflow.execute('sweeper', { taskQueue: 'core', workflowId: 'sweep-now' })
  await untilStatus(platform.sql, txid, 'success')
  expect(await ledger(platform.sql, 'available', name)).toBe(50_000n)
})

test('starts again at the threshold after it was terminated', async () => {
  const { to } = await setup()
  const { txid } = model.pay(to(50_000n))
  model.mine()
  await step()
  await handleOf(txid).terminate('by mistake')
  await expect(handleOf(txid).result()).rejects.toThrow(WorkflowFailedError)
  model.mine()
  model.mine()
  await step()
  await untilStatus(platform.sql, txid, 'success')
})

describe('with a screening service', () => {
  let server: Server
  let verdict: object = { result: 'approved' }
  let status = 200
  const asked: { id: string; status: string; amount: string; verified: boolean }[] = []
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        const verified = verifyWebhookSignature({
          id: String(request.headers['webhook-id']),
          timestamp: Number(request.headers['webhook-timestamp']),
          signature: String(request.headers['webhook-signature']),
          body: Buffer.from(body),
          secret: SCREENING_SECRET,
          now: Math.floor(Date.now() / 1_000),
        })
        asked.push({ ...JSON.parse(body), verified })
        response.writeHead(status).end(JSON.stringify(verdict))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    // A deposit is screened if the worker that confirms it has a service.
    await platform.stopAll()
    const { port } = server.address() as AddressInfo
    await platform.startWorkers(['core', 'chain'], [adapter], `http://127.0.0.1:${port}/screen`)
  })
  afterAll(() => {
    server.close()
  })

  test('credits a deposit that the service approves', async () => {
    const { name, to } = await setup()
    const { txid } = model.pay(to(50_000n))
    for (let block = 0; block < 3; block++) model.mine()
    await step()
    expect(await handleOf(txid).result()).toBe('credited')
    expect(await ledger(platform.sql, 'available', name)).toBe(50_000n)
    expect(asked.at(-1)).toMatchObject({
      status: 'screening_requested',
      amount: '0.0005',
      verified: true,
    })
    await keep('deposit.screened', txid)
  })

  test('credits nothing and loses nothing while the service is out of order', async () => {
    status = 503
    const { name, to } = await setup()
    const { txid } = model.pay(to(50_000n))
    for (let block = 0; block < 3; block++) model.mine()
    const before = asked.length
    await step()
    await eventually(async () => expect(asked.length).toBeGreaterThan(before))
    expect(await ledger(platform.sql, 'available', name)).toBe(0n)
    expect(await ledger(platform.sql, 'reserved', name)).toBe(50_000n)
    status = 200
    expect(await handleOf(txid).result()).toBe('credited')
  })

  test('reserves a deposit that the service does not approve, and notifies a person', async () => {
    verdict = { result: 'review', reason: 'on a list' }
    const { name, to } = await setup()
    const { txid } = model.pay(to(50_000n))
    for (let block = 0; block < 3; block++) model.mine()
    await step()
    expect(await handleOf(txid).result()).toBe('held')
    await keep('deposit.held', txid)
    expect(await ledger(platform.sql, 'reserved', name)).toBe(50_000n)
    const [raised] =
      await platform.sql`SELECT data FROM events WHERE type = 'exception.raised' AND data ->> 'transaction_hash' = ${txid}`
    expect(raised?.data).toMatchObject({ kind: 'deposit.held', reason: 'on a list', user_reference: name })
    const [row] = await platform.sql<{ id: string }[]>`SELECT id FROM deposits WHERE txid = ${txid}`
    expect(await creditDeposit(platform.sql, networks, row?.id ?? '')).toEqual({ kind: 'held' })
    expect(await ledger(platform.sql, 'available', name)).toBe(0n)
  })
})
