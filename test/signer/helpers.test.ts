/** Tests that threads share work, and that each task is done whether or not a thread helps. */

import type { Worker } from 'node:worker_threads'
import { afterAll, expect, test, vi } from 'vitest'
import { decide, decideAll, decideWitnessed } from '../../signer/decide.js'
import { signTypeTwo } from '../../signer/evm/sign-type-two.js'
import { type Helpers, noHelpers, openHelpers } from '../../signer/helpers/helpers.js'
import type { Unread } from '../../signer/helpers/read-back.js'
import { type Offer, startHelper } from '../../signer/helpers/thread.js'
import { parsePath } from '../../signer/keys/path.js'
import { Runs } from '../../signer/runs.js'
import { buildSigner, payoutOfNow, startExecutable } from './executable.js'
import { btcRequest, ethRequest, keyring, makeState, PAYING_PATH, usdtRequest } from './fixture.js'

const workers: Worker[] = []
const start = (): Worker => {
  const worker = startHelper()
  workers.push(worker)
  return worker
}
afterAll(async () => {
  for (const worker of workers) await worker.terminate()
})

const honest: Unread = signTypeTwo(
  {
    chainId: 31_337n,
    nonce: 5n,
    maxPriorityFeePerGas: 1n,
    maxFeePerGas: 2n,
    gas: 21_000n,
    to: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
    value: 1n,
    data: '0x',
  },
  keyring.at(parsePath(PAYING_PATH) ?? []),
)
const altered: Unread = { ...honest, raw: honest.raw.replace(/.$/, (x) => (x === '0' ? '1' : '0')) }

const claim = () => [
  ...Array.from({ length: 9 }, (_, index) =>
    ethRequest({ intent: { withdrawal: `withdrawal_${index}` }, payload: { nonce: index } }),
  ),
  btcRequest(),
  usdtRequest({ payload: { nonce: 9 } }),
]

/** Offers one task that notes whether it was done here. */
function offered(helpers: Helpers, task: Unread, fails = false) {
  const here = vi.fn(() => {
    if (fails) throw new Error('done here')
  })
  const [shared] = helpers.offer([{ task, here }])
  if (!shared) throw new Error('One task was offered')
  return { shared, here }
}

/** Waits until a helper has done a task, without doing it here. */
async function doneElsewhere(helpers: Helpers, task: Unread): Promise<void> {
  await expect
    .poll(
      async () => {
        const { shared, here } = offered(helpers, task)
        await new Promise((resolve) => setTimeout(resolve, 100))
        shared.finish()
        return here.mock.calls.length
      },
      { timeout: 30_000 },
    )
    .toBe(0)
}

test('believes the yes of a helper, and finds the reason of its no by itself', async () => {
  const helpers = openHelpers(start, 1)
  await doneElsewhere(helpers, honest)
  const { shared, here } = offered(helpers, altered, true)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(here).not.toHaveBeenCalled()
  expect(() => shared.finish()).toThrow('done here')
  expect(here).toHaveBeenCalledOnce()
})

test('does every task that no helper has taken once, and throws its error each time', () => {
  for (const helpers of [noHelpers, openHelpers(start, 1)]) {
    const { shared, here } = offered(helpers, honest, true)
    shared.start()
    shared.start()
    expect(() => shared.finish()).toThrow('done here')
    expect(() => shared.finish()).toThrow('done here')
    expect(here).toHaveBeenCalledOnce()
  }
})

test('does by itself what a helper has taken and does not finish, or what a lost one leaves', async () => {
  let places: Int32Array = new Int32Array()
  const stuck = { postMessage: (offer: { places: Int32Array }) => (places = offer.places) }
  const helpers = openHelpers(() => Object.assign(stuck, { on() {}, unref() {} }) as unknown as Worker, 1)
  const { shared, here } = offered(helpers, honest)
  Atomics.store(places, 0, 1)
  shared.finish()
  expect(here).toHaveBeenCalledOnce()

  let started = 0
  const lost = openHelpers(() => {
    started++
    const worker = start()
    void worker.terminate()
    return worker
  }, 2)
  for (const _ of [1, 2, 3]) {
    const { shared, here } = offered(lost, honest)
    shared.finish()
    expect(here).toHaveBeenCalledOnce()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  // None is started in the place of a lost one.
  expect(started).toBeLessThanOrEqual(2)
  const none = openHelpers(() => {
    throw new Error('no memory')
  }, 2)
  expect(() => offered(none, honest, true).shared.finish()).toThrow('done here')
})

test('does the last of its tasks while a helper is at the first, and none of a claim that has ended', () => {
  const offers: Int32Array[] = []
  const stuck = { on() {}, unref() {}, postMessage: ({ places }: Offer) => offers.push(places) }
  const helpers = openHelpers(() => stuck as unknown as Worker, 1)
  const done: string[] = []
  const offer = (...names: string[]) =>
    helpers.offer(names.map((name) => ({ task: honest, here: () => void done.push(name) })))
  offer('before')
  helpers.end()
  const [first, second] = offer('first', 'second', 'third')
  Atomics.store(offers[1] ?? new Int32Array(), 0, 1)
  first?.finish()
  // The helper has finished none, so the first one is done here too, after the others.
  expect(done).toEqual(['third', 'second', 'first'])
  second?.finish()
  expect(done).toHaveLength(3)
})

test('signs the same bytes with helpers as alone', async () => {
  const helpers = openHelpers(start, 2)
  const alone = decideAll(claim(), makeState())
  expect(alone.map(({ outcome }) => outcome)).toEqual(claim().map(() => 'signed'))
  expect(await decideWitnessed(claim(), makeState(), new Runs(), helpers)).toEqual(alone)
  await doneElsewhere(helpers, honest)
  expect(await decideWitnessed(claim(), makeState(), new Runs(), helpers)).toEqual(alone)
})

test('stores and returns nothing that differs, and signs it when it is asked for again', async () => {
  const state = makeState()
  const differing: Helpers = {
    ...noHelpers,
    offer: (tasks) =>
      noHelpers.offer(
        tasks.map(({ task, here }) => ({
          task,
          here: () => {
            if (task.family !== 'approval') throw new Error('a bit was turned')
            here()
          },
        })),
      ),
  }
  const [decision] = await decideWitnessed([ethRequest()], state, new Runs(), differing)
  expect(decision).toMatchObject({ outcome: 'refused', message: 'a bit was turned', decidedBefore: true })
  expect(state.journal.position.sequence).toBe(1)
  expect(decide(ethRequest(), state)).toEqual(decide(ethRequest(), makeState()))
})

test('stores the bytes of a payload once that a claim names twice', async () => {
  const state = makeState()
  const [first, second] = await decideWitnessed([ethRequest(), ethRequest()], state)
  expect(first).toEqual(second)
  expect(state.journal.position.sequence).toBe(2)
})

test('helps in the executable, which is one file', async () => {
  const { program, remove } = await buildSigner()
  const signer = await startExecutable(program)
  try {
    await signer.enrol()
    const claimed = (nonces: number[]) => nonces.map((nonce) => payoutOfNow(`many_${nonce}`, nonce))
    const running = signer.serve()
    signer.platform.queue.push(...claimed([0, 1, 2, 3, 4, 5]))
    await signer.platform.waitFor(() => signer.platform.answers.length === 6)
    // Helpers were started for the first claim, and are there for the second.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    signer.platform.queue.push(...claimed([6, 7, 8, 9, 10, 11]))
    await signer.platform.waitFor(() => signer.platform.answers.length === 12)
    expect(signer.platform.answers.map(({ outcome }) => outcome)).toEqual(Array(12).fill('signed'))
    expect(running.text()).toContain('Serving')
    expect(running.text()).not.toContain('was lost')
  } finally {
    await signer.close(remove)
  }
}, 180_000)
