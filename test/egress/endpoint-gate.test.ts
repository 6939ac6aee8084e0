/** The limit of concurrent attempts for each endpoint. */

import { describe, expect, test, vi } from 'vitest'
import { createEndpointGate, type Pass } from '../../egress/endpoint-gate.js'

function leave(pass: Pass | undefined, timedOut: boolean): void {
  if (pass?.kind !== 'go') throw new Error('This attempt did not go')
  pass.leave(timedOut)
}

describe('a gate', () => {
  test('admits attempts up to the limit, and another for each that leaves', async () => {
    const gate = createEndpointGate({ most: 2, least: 1, maxDelayMs: 1_000 })
    const first = await gate.enter('a')
    expect((await gate.enter('a')).kind).toBe('go')
    let third: Pass | undefined
    const waiting = gate.enter('a').then((pass) => {
      third = pass
    })
    await Promise.resolve()
    expect(third).toBeUndefined()
    leave(first, false)
    await waiting
    expect(third?.kind).toBe('go')
  })

  test('limits each endpoint on its own', async () => {
    const gate = createEndpointGate({ most: 1, least: 1, maxDelayMs: 1_000 })
    await gate.enter('dead')
    expect((await gate.enter('live')).kind).toBe('go')
  })

  test('counts an attempt once although it leaves twice', async () => {
    const gate = createEndpointGate({ most: 2, least: 1, maxDelayMs: 1_000, patienceMs: 1 })
    const first = await gate.enter('a')
    await gate.enter('a')
    leave(first, false)
    leave(first, false)
    expect((await gate.enter('a')).kind).toBe('go')
    expect((await gate.enter('a')).kind).toBe('later')
  })

  test('takes slots from an endpoint that times out and returns them when it answers', async () => {
    const gate = createEndpointGate({ most: 8, least: 2, maxDelayMs: 1_000, patienceMs: 1 })
    const goes = async () => {
      const passes: Pass[] = []
      for (;;) {
        const pass = await gate.enter('a')
        if (pass.kind === 'later') return passes
        passes.push(pass)
      }
    }
    const all = await goes()
    expect(all).toHaveLength(8)
    for (const pass of all) leave(pass, true)
    const few = await goes()
    expect(few).toHaveLength(2)
    for (const pass of few) leave(pass, false)
    expect(await goes()).toHaveLength(4)
  })

  test('spreads the turns of attempts that it sends back and never exceeds the longest delay', async () => {
    vi.useFakeTimers()
    const gate = createEndpointGate({ most: 4, least: 4, maxDelayMs: 10_000, patienceMs: 1_000 })
    for (let i = 0; i < 4; i += 1) await gate.enter('a')
    vi.setSystemTime(Date.now() + 8_000)
    const waiting = Array.from({ length: 20 }, () => gate.enter('a'))
    await vi.advanceTimersByTimeAsync(1_000)
    const delays = (await Promise.all(waiting)).map((pass) => (pass.kind === 'later' ? pass.delayMs : -1))
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(100)
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_000)
    expect((delays[1] ?? 0) - (delays[0] ?? 0)).toBeGreaterThanOrEqual(2_000)
    vi.useRealTimers()
  })
})
