/** Scores how risky a withdrawal is, by five factors with a score, a weight and a reason each. */

import type { Coin } from '../chain/network.js'
import { formatAmount } from '../money.js'
import { type Policy, RISK_FACTORS, type RiskFactorName } from './policy.js'

/** Facts at the time of the request. History is that of the user, or of the merchant's own account. */
export interface RiskFacts {
  readonly amount: bigint
  readonly coin: Coin
  /** Amounts of earlier withdrawals, in base units. */
  readonly earlierAmounts: readonly bigint[]
  readonly destination: {
    readonly sanctioned: boolean
    readonly whitelisted: boolean
    /** Number of the merchant's withdrawals that were paid to it. */
    readonly paidBefore: number
  }
  /** Requests within the last day without this one, and the average of a day over the last thirty. */
  readonly frequency: { readonly lastDay: number; readonly usualPerDay: number }
  /** Country of the request. `undefined` without a database, `null` where the database does not know it. */
  readonly geography: { readonly country: string | null | undefined; readonly usual: readonly string[] }
  readonly behaviour: {
    /** Number of requests of the last thirty days that were rejected, cancelled or expired. */
    readonly unpaid: number
    /** Hour of the day in UTC; `usualHours` has those of earlier requests. */
    readonly hour: number
    readonly usualHours: readonly number[]
  }
}

export interface RiskFactor {
  readonly name: RiskFactorName
  /** Score from 0 to 100. */
  readonly score: number
  readonly weight: number
  readonly reason: string
}

/** The assessment that is stored with the withdrawal and shown as `risk`. */
export interface RiskAssessment {
  /** Score from 0 to 100. */
  readonly score: number
  readonly threshold: number
  readonly sanctioned: boolean
  readonly factors: readonly RiskFactor[]
}

const MOST = 100
/** Number of earlier withdrawals below which they do not show what is usual. */
const ENOUGH_HISTORY = 3
const ENOUGH_HOURS = 10
/** Ten times the average is as suspicious as an amount can be. */
const SUSPICIOUS_MULTIPLE = 10
/** Number of requests a day that is normal for everyone. */
const HARMLESS_PER_DAY = 5
const UNCOMMON = {
  newDestination: 60,
  unknownHistory: 20,
  newCountry: 60,
  strangeHour: 30,
  unpaid: 20,
} as const

/** Scores a withdrawal. A destination on a sanctions list scores 100 with all weights. */
export function assessRisk(facts: RiskFacts, policy: Policy['risk']): RiskAssessment {
  const scored: Readonly<Record<RiskFactorName, readonly [number, string]>> = {
    amount: scoreAmount(facts),
    destination: scoreDestination(facts),
    frequency: scoreFrequency(facts),
    geography: scoreGeography(facts, policy.high_risk_countries),
    behaviour: scoreBehaviour(facts),
  }
  const factors = RISK_FACTORS.map((name): RiskFactor => {
    const [score, reason] = scored[name]
    return { name, score, weight: policy.weights[name], reason }
  })
  const sum = factors.reduce((total, { score, weight }) => total + score * weight, 0)
  const { sanctioned } = facts.destination
  return {
    score: sanctioned ? MOST : Math.min(MOST, Math.round(sum)),
    threshold: policy.threshold,
    sanctioned,
    factors,
  }
}

/** Reason for a destination that came onto the list after the request. */
export const LISTED_LATER = 'The destination came onto the sanctions list after this was asked for'

/** Returns the assessment after such a hit. @param risk - The earlier one. `null` where nothing was assessed. */
export function listedLater(risk: RiskAssessment | null): RiskAssessment {
  const { threshold, factors }: Pick<RiskAssessment, 'threshold' | 'factors'> = risk ?? {
    threshold: MOST,
    factors: [],
  }
  return {
    score: MOST,
    threshold,
    sanctioned: true,
    factors: factors.map((factor) =>
      factor.name === 'destination' ? { ...factor, score: MOST, reason: LISTED_LATER } : factor,
    ),
  }
}

/** Returns whether a person must review it: for a sanctions hit always, for a high score unless the destination is whitelisted. */
export function needsReview(risk: RiskAssessment, whitelisted: boolean): boolean {
  return risk.sanctioned || (risk.score > risk.threshold && !whitelisted)
}

function scoreAmount({ amount, coin, earlierAmounts }: RiskFacts): readonly [number, string] {
  if (earlierAmounts.length < ENOUGH_HISTORY) {
    return [UNCOMMON.unknownHistory, 'Too few earlier withdrawals to compare with']
  }
  const average = earlierAmounts.reduce((sum, each) => sum + each, 0n) / BigInt(earlierAmounts.length)
  // In hundredths, exactly, so that amounts of any size compare.
  const hundredths = average === 0n ? BigInt(SUSPICIOUS_MULTIPLE * 100) : (amount * 100n) / average
  const multiple = Number(hundredths > 100_000n ? 100_000n : hundredths) / 100
  const usual = `${formatAmount(average, coin.decimals)} ${coin.name}, the average of ${earlierAmounts.length}`
  if (multiple <= 1) return [0, `Not more than ${usual}`]
  const score = Math.min(MOST, Math.round(((multiple - 1) / (SUSPICIOUS_MULTIPLE - 1)) * MOST))
  return [score, `${multiple} times ${usual}`]
}

function scoreDestination({ destination }: RiskFacts): readonly [number, string] {
  if (destination.sanctioned) return [MOST, 'The destination is on the sanctions list']
  if (destination.whitelisted) return [0, 'The destination is whitelisted']
  if (destination.paidBefore > 0) return [0, `Paid ${destination.paidBefore} times before`]
  return [UNCOMMON.newDestination, 'Nothing was ever paid to this destination']
}

function scoreFrequency({ frequency: { lastDay, usualPerDay } }: RiskFacts): readonly [number, string] {
  const harmless = Math.max(HARMLESS_PER_DAY, 2 * usualPerDay)
  const count = lastDay + 1
  const text = `${count} within 24 hours, ${usualPerDay.toFixed(1)} a day is usual`
  if (count <= harmless) return [0, text]
  return [Math.min(MOST, Math.round(((count - harmless) / harmless) * MOST)), text]
}

function scoreGeography(
  { geography: { country, usual } }: RiskFacts,
  highRisk: readonly string[],
): readonly [number, string] {
  if (country === undefined) return [0, 'Neutral: no GeoIP database is configured']
  if (country === null) return [0, 'Neutral: the GeoIP database does not know where this came from']
  if (highRisk.includes(country)) return [MOST, `Asked for from ${country}, which the policy calls high-risk`]
  if (usual.length === 0 || usual.includes(country)) return [0, `Asked for from ${country}`]
  return [UNCOMMON.newCountry, `Asked for from ${country}; before from ${usual.join(', ')}`]
}

function scoreBehaviour({ behaviour: { unpaid, hour, usualHours } }: RiskFacts): readonly [number, string] {
  const strange = usualHours.length >= ENOUGH_HOURS && !usualHours.some((each) => nextTo(each, hour))
  const score = Math.min(MOST, unpaid * UNCOMMON.unpaid + (strange ? UNCOMMON.strangeHour : 0))
  const reasons = [
    ...(unpaid > 0 ? [`${unpaid} requests of the last 30 days were not paid`] : []),
    ...(strange ? [`never before asked for around ${hour}:00 UTC`] : []),
  ]
  return [score, reasons.join('; ') || 'As usual']
}

/** Returns whether two hours are at most one apart on the round clock. */
function nextTo(a: number, b: number): boolean {
  const distance = Math.abs(a - b)
  return Math.min(distance, 24 - distance) <= 1
}
