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

describe('a gate for attempts within workflow tasks', () => {
  const atOnce = { endpoint: 2, merchant: 3, all: 4, waiting: 0 }
  const open = () => createEndpointGate({ most: 8, least: 2, maxDelayMs: 1_000, patienceMs: 1, atOnce })

  test('limits an endpoint, a merchant and all', async () => {
    const gate = open()
    const enter = async (...asked: readonly (readonly [endpoint: string, merchant: string])[]) => {
      const entries = await Promise.all(asked.map((each) => gate.enterAtOnce(...each)))
      return entries.map((entry) => entry !== null)
    }
    expect(await enter(['a1', 'a'], ['a1', 'a'], ['a1', 'a'])).toEqual([true, true, false])
    expect(await enter(['a2', 'a'], ['a2', 'a'])).toEqual([true, false])
    expect(await enter(['b', 'b'], ['c', 'c'])).toEqual([true, false])
  })

  test('gives places back to attempts that end, are not made, or go on elsewhere', async () => {
    const gate = open()
    const [first, second] = [await gate.enterAtOnce('a', 'a'), await gate.enterAtOnce('a', 'a')]
    first?.leave(false, false)
    first?.leave(false, false)
    second?.cancel()
    const places = await Promise.all(['a', 'b', 'c', 'd'].map((endpoint) => gate.enterAtOnce(endpoint, 'm')))
    expect(places.map((place) => place !== null)).toEqual([true, true, true, false])
    places[0]?.overdue()
    expect(await gate.enterAtOnce('d', 'm')).not.toBeNull()
  })

  test('admits none to an endpoint whose last attempt failed or is slow, until one succeeds soon', async () => {
    let now = 0
    const gate = createEndpointGate({ maxDelayMs: 1_000, now: () => now })
    const admits = async () => {
      const entry = await gate.enterAtOnce('a', 'm')
      entry?.cancel()
      return entry !== null
    }
    const attempt = async (durationMs: number, failed: boolean) => {
      const pass = await gate.enter('a')
      now += durationMs
      if (pass.kind === 'go') pass.leave(false, failed)
    }
    await attempt(10, true)
    expect(await admits()).toBe(false)
    await attempt(10, false)
    expect(await admits()).toBe(true)
    await attempt(1_500, false)
    expect(await admits()).toBe(false)
    await attempt(10, false)
    expect(await admits()).toBe(true)
    ;(await gate.enterAtOnce('a', 'm'))?.overdue()
    expect(await admits()).toBe(false)
  })

  test('counts them among the attempts under way of their endpoint', async () => {
    const gate = createEndpointGate({ most: 2, least: 1, maxDelayMs: 1_000, patienceMs: 1, atOnce })
    await gate.enterAtOnce('a', 'm')
    await gate.enterAtOnce('a', 'm')
    expect((await gate.enter('a')).kind).toBe('later')
  })

  describe('when there is no place', () => {
    let now = 0
    const full = async (waiting: number) => {
      now = 0
      const gate = createEndpointGate({ maxDelayMs: 1_000, now: () => now, atOnce: { ...atOnce, waiting } })
      const entries = [await gate.enterAtOnce('a', 'm'), await gate.enterAtOnce('a', 'm')]
      return { gate, entries }
    }
    const unless = 'no answer yet'
    const soon = <T>(entry: Promise<T>) => Promise.race([entry, new Promise((r) => setImmediate(r, unless))])

    test('lets a few wait for a place of an endpoint that answers', async () => {
      const { gate, entries } = await full(2)
      const waiting = [gate.enterAtOnce('a', 'm'), gate.enterAtOnce('a', 'm')] as const
      expect(await soon(gate.enterAtOnce('a', 'm'))).toBeNull()
      expect(await soon(waiting[0])).toBe(unless)
      entries[0]?.leave(false, false)
      expect(await soon(waiting[0])).not.toBe(unless)
      expect(await waiting[0]).not.toBeNull()
      expect(await soon(waiting[1])).toBe(unless)
      entries[1]?.cancel()
      expect(await waiting[1]).not.toBeNull()
    })

    test('lets none wait for an endpoint that fails, or whose attempts take long', async () => {
      const { gate, entries } = await full(2)
      const waiting = gate.enterAtOnce('a', 'm')
      entries[0]?.leave(false, true)
      expect(await soon(waiting)).toBeNull()
      const slow = await full(2)
      now = 500
      expect(await soon(slow.gate.enterAtOnce('a', 'm'))).toBeNull()
    })

    test('ends the wait of those that got none in time', async () => {
      const { gate } = await full(1)
      vi.useFakeTimers()
      const waiting = gate.enterAtOnce('a', 'm')
      now = 250
      await vi.advanceTimersByTimeAsync(250)
      expect(await waiting).toBeNull()
      vi.useRealTimers()
    })
  })
})
