/** Which fields of a policy change tighten and which loosen. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Coin } from '../../../domain/chain/network.js'
import { FOUR_EYES } from '../../../domain/controls/approval.js'
import { bindingLimits } from '../../../domain/controls/limits.js'
import { requiredApprovals } from '../../../domain/controls/multisig.js'
import { DEFAULT_POLICY, type MultisigConfig, type Policy } from '../../../domain/controls/policy.js'
import {
  applyEdits,
  diffPolicies,
  normalisePolicy,
  updatedPolicy,
} from '../../../domain/controls/policy-change.js'
import { paymentAllowance, toleranceFor } from '../../../domain/payments/payment-allowance.js'

const usdt: Coin = { name: 'usdt', decimals: 6, contract: null, dust: 0n }
const amount = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.constantFrom('', '.5', '.50', '.0000001'))
  .map(([whole, fraction]) => `${whole}${fraction}`)
const limit = fc.record({
  network: fc.constant('ethereum'),
  coin: fc.constantFrom('usdt', 'eth'),
  daily: fc.option(amount),
  monthly: fc.option(amount),
})
const limits = fc.uniqueArray(limit, { selector: (each) => each.coin, maxLength: 2 })
const people = ['ada', 'grace', 'edsger', 'alan'].map((id, i) => ({
  id,
  public_key: `0x0${i}`,
  role: i % 2 ? 'finance' : 'admin',
}))
const multisig: fc.Arbitrary<MultisigConfig> = fc
  .record({
    enabled: fc.boolean(),
    required_signatures: fc.integer({ min: 2, max: 4 }),
    threshold_amount: amount,
    threshold_amounts: fc.uniqueArray(
      fc.record({ network: fc.constant('ethereum'), coin: fc.constantFrom('usdt', 'eth'), amount }),
      { selector: (each) => each.coin, maxLength: 2 },
    ),
    signers: fc.subarray(people),
    required_roles: fc.subarray(['admin', 'finance']),
  })
  .map((config) => ({ ...config, total_signers: config.signers.length }))
const policy: fc.Arbitrary<Policy> = fc.record({
  limits: fc.record({ merchant: limits, user: limits }),
  multisig_config: multisig,
  confirmation_tiers: fc.uniqueArray(
    fc.record({
      network: fc.constant('ethereum'),
      coin: fc.constantFrom('usdt', 'eth'),
      from: fc.constantFrom('0', '0.5', '10'),
      confirmations: fc.integer({ min: 1, max: 20 }),
    }),
    { selector: (each) => `${each.coin} ${each.from}` },
  ),
  risk: fc.record({
    threshold: fc.integer({ min: 0, max: 100 }),
    weights: fc.record({
      amount: fc.constantFrom(0, 0.5, 1),
      destination: fc.constantFrom(0, 0.5, 1),
      frequency: fc.constantFrom(0, 0.5, 1),
      geography: fc.constantFrom(0, 0.5, 1),
      behaviour: fc.constantFrom(0, 0.5, 1),
    }),
    high_risk_countries: fc.subarray(['KP', 'IR', 'XX']),
  }),
  whitelist: fc.record({ mode: fc.constantFrom('off' as const, 'required' as const) }),
  held_deposits: fc.record({ release_approvals: fc.constantFrom(1 as const, 2 as const) }),
  payments: fc.record({
    tolerance_percent: fc.constantFrom('0', '0.5', '2.00', '99'),
    tolerance_absolute: fc.subarray([
      { network: 'ethereum', coin: 'usdt', amount: '1.0' },
      { network: 'bitcoin', coin: 'btc', amount: '0.001' },
    ]),
  }),
})

/** What a policy asks of withdrawals, measured where it takes effect: nothing here knows of fields. */
function strictness(of: Policy, units: bigint) {
  const facts = { network: 'ethereum', coin: usdt, amount: units }
  const requirement = requiredApprovals(of.multisig_config, facts)
  const binding = bindingLimits(of.limits, { ...facts, userReference: 'alice', entry: null })
  const most = (scope: string, window: string) =>
    binding.find((each) => each.scope === scope && each.window === window)?.amount ?? 10n ** 40n
  return {
    count: requirement.count,
    mayApprove: people.filter(
      ({ id }) => requirement.signers.length === 0 || requirement.signers.some((signer) => signer.id === id),
    ),
    roles: requirement.roles,
    most: ['merchant', 'user'].flatMap((scope) => ['daily', 'monthly'].map((window) => most(scope, window))),
    threshold: of.risk.threshold,
    weights: Object.values(of.risk.weights),
    countries: of.risk.high_risk_countries,
    whitelist: of.whitelist.mode === 'required',
    releases: of.held_deposits.release_approvals,
    shortfall: -paymentAllowance(
      units,
      6,
      toleranceFor(of.payments, { network: 'ethereum', coin: 'usdt', decimals: 6 }),
    ),
    confirmations: Math.max(
      0,
      ...of.confirmation_tiers
        .filter((tier) => tier.coin === 'usdt' && BigInt(Number(tier.from) * 1e6) <= units)
        .map((tier) => tier.confirmations),
    ),
  }
}

function expectNotLooser(before: Policy, after: Policy, units: bigint): void {
  const a = strictness(before, units)
  const b = strictness(after, units)
  expect(b.count).toBeGreaterThanOrEqual(a.count)
  for (const person of b.mayApprove) expect(a.mayApprove).toContain(person)
  for (const role of a.roles) expect(b.roles).toContain(role)
  expect(b.most.every((most, i) => most <= (a.most[i] ?? 0n))).toBe(true)
  expect(b.threshold).toBeLessThanOrEqual(a.threshold)
  expect(b.weights.every((weight, i) => weight >= (a.weights[i] ?? 0))).toBe(true)
  for (const country of a.countries) expect(b.countries).toContain(country)
  expect(Number(b.whitelist)).toBeGreaterThanOrEqual(Number(a.whitelist))
  expect(b.releases).toBeGreaterThanOrEqual(a.releases)
  expect(b.shortfall).toBeGreaterThanOrEqual(a.shortfall)
  expect(b.confirmations).toBeGreaterThanOrEqual(a.confirmations)
}

const units = fc.bigInt({ min: 1n, max: 70_000_000n })

test('what takes effect at once never loosens anything, for every policy in force by then', () => {
  fc.assert(
    fc.property(policy, policy, policy, units, (from, to, meanwhile, amountUnits) => {
      const edits = diffPolicies(from, to)
      expectNotLooser(from, applyEdits(from, edits, 'tightening').policy, amountUnits)
      expectNotLooser(meanwhile, applyEdits(meanwhile, edits, 'tightening').policy, amountUnits)
    }),
    { numRuns: 500 },
  )
})

test('what waits is all that is looser: a change without it loosens nothing', () => {
  fc.assert(
    fc.property(policy, policy, units, (from, to, amountUnits) => {
      const edits = diffPolicies(from, to)
      if (edits.some((edit) => edit.effect === 'loosening')) return
      expectNotLooser(from, to, amountUnits)
    }),
    { numRuns: 2_000 },
  )
})

/** As PostgreSQL gives `jsonb` back: the keys of each object in an order of its own, the shortest first. */
function stored<T>(value: T): T {
  if (Array.isArray(value)) return value.map(stored) as T
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, each]) => [key, stored(each)])) as T
}

test('a change that went through the database is applied as one that did not', () => {
  fc.assert(
    fc.property(policy, policy, (from, to) => {
      const edits = stored(diffPolicies(stored(from), to))
      const half = applyEdits(stored(normalisePolicy(from)), edits, 'tightening')
      const whole = applyEdits(stored(half.policy), edits, 'loosening')
      expect([...half.dropped, ...whole.dropped]).toEqual([])
      expect(whole.policy).toEqual(normalisePolicy(to))
      expect(diffPolicies(stored(whole.policy), to)).toEqual([])
    }),
  )
})

test('the same key in another notation, and the same list in another order, is no change', () => {
  const bytes = Buffer.alloc(32, 7)
  const signer = (public_key: string) => ({ id: 'ada', public_key, role: 'admin' })
  const of = (public_key: string, countries: string[]): Policy => ({
    ...DEFAULT_POLICY,
    multisig_config: { ...DEFAULT_POLICY.multisig_config, enabled: true, signers: [signer(public_key)] },
    risk: { ...DEFAULT_POLICY.risk, high_risk_countries: countries },
  })
  const hex = of(`0x${bytes.toString('hex').toUpperCase()}`, ['KP', 'IR'])
  expect(diffPolicies(hex, of(bytes.toString('base64'), ['IR', 'KP']))).toEqual([])
})

test('of two tiers for one amount the highest number holds', () => {
  const tier = { network: 'ethereum', coin: 'usdt', from: '100', confirmations: 12 }
  for (const confirmation_tiers of [
    [tier, { ...tier, from: '100.00', confirmations: 4 }],
    [{ ...tier, from: '100.00', confirmations: 4 }, tier],
  ]) {
    expect(normalisePolicy({ ...DEFAULT_POLICY, confirmation_tiers }).confirmation_tiers).toEqual([tier])
  }
})

test('both halves together are exactly what was asked for', () => {
  fc.assert(
    fc.property(policy, policy, (from, to) => {
      const edits = diffPolicies(from, to)
      const half = applyEdits(from, edits, 'tightening')
      const whole = applyEdits(half.policy, edits, 'loosening')
      expect(whole.policy).toEqual(normalisePolicy(to))
      expect([...half.dropped, ...whole.dropped]).toEqual([])
      expect(diffPolicies(whole.policy, to)).toEqual([])
    }),
  )
})

test('a field that was tightened meanwhile is not loosened by what was approved before', () => {
  const at = (daily: string): Policy => ({
    ...DEFAULT_POLICY,
    limits: { merchant: [], user: [{ network: 'ethereum', coin: 'usdt', daily, monthly: null }] },
  })
  const edits = diffPolicies(at('100'), at('200.0'))
  expect(edits).toEqual([
    { field: 'limits.user.ethereum.usdt.daily', from: '100', to: '200', effect: 'loosening' },
  ])
  expect(applyEdits(at('50'), edits, 'loosening')).toMatchObject({
    applied: [],
    dropped: ['limits.user.ethereum.usdt.daily'],
    policy: { limits: { user: [{ daily: '50' }] } },
  })
  // Another change raised it further: to lower it to 200 is fine.
  expect(applyEdits(at('300'), edits, 'loosening').policy.limits.user[0]?.daily).toBe('200')
})

test('each field knows its direction', () => {
  const effect = (update: Parameters<typeof updatedPolicy>[1], base = DEFAULT_POLICY) =>
    diffPolicies(base, updatedPolicy(base, update)).map((edit) => [edit.field, edit.effect])
  expect(effect({ whitelist: { mode: 'required' } })).toEqual([['whitelist.mode', 'tightening']])
  expect(effect({ risk: { threshold: 90 } })).toEqual([['risk.threshold', 'loosening']])
  expect(effect({ risk: { weights: { amount: 0 } } })).toEqual([['risk.weights.amount', 'loosening']])
  expect(effect({ risk: { high_risk_countries: ['KP'] } })).toEqual([
    ['risk.high_risk_countries', 'tightening'],
  ])
  const tier = { network: 'bitcoin', coin: 'btc', from: '10', confirmations: 6 }
  const tiered = updatedPolicy(DEFAULT_POLICY, { confirmation_tiers: [tier] })
  expect(effect({ confirmation_tiers: [tier] })).toEqual([
    ['confirmation_tiers.bitcoin.btc.10', 'tightening'],
  ])
  expect(effect({ confirmation_tiers: [] }, tiered)).toEqual([
    ['confirmation_tiers.bitcoin.btc.10', 'loosening'],
  ])
})

test('above the threshold the configuration holds, at it and below two people do', () => {
  const config: MultisigConfig = {
    enabled: true,
    required_signatures: 3,
    total_signers: 4,
    threshold_amount: '1000.00',
    threshold_amounts: [{ network: 'ethereum', coin: 'eth', amount: '0.5' }],
    signers: people,
    required_roles: ['finance'],
  }
  const of = (units: bigint, coin = usdt) =>
    requiredApprovals(config, { network: 'ethereum', coin, amount: units })
  expect(of(1_000_000_000n)).toEqual(FOUR_EYES)
  expect(of(1_000_000_001n)).toEqual({
    count: 3,
    signers: people.map(({ id, role }) => ({ id, role })),
    roles: ['finance'],
  })
  const eth = { ...usdt, name: 'eth', decimals: 18 }
  expect(of(5n * 10n ** 17n, eth).count).toBe(2)
  expect(of(5n * 10n ** 17n + 1n, eth).count).toBe(3)
  expect(
    requiredApprovals({ ...config, enabled: false }, { network: 'ethereum', coin: usdt, amount: 10n ** 12n }),
  ).toEqual(FOUR_EYES)
})
