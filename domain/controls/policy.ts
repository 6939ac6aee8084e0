/** A merchant's policy: limits, signatures, confirmations, risk and whitelist. Amounts are decimal strings in whole coins. */

/** The most that may leave within a rolling window, in one coin of one network; null is no limit. */
export interface CoinLimit {
  readonly network: string
  readonly coin: string
  /** Within 24 hours. */
  readonly daily: string | null
  /** Within 30 days. */
  readonly monthly: string | null
}

/** Who may sign for large amounts (seed 002, "Multi-Signature Requirements"). */
export interface MultisigSigner {
  /** Id of the approver's registration. */
  readonly id: string
  /** Base64 or `0x` hex of the 32 bytes that are registered for it. */
  readonly public_key: string
  readonly role: string
}

/** Above `threshold_amount` more than the usual two people sign; at or below it, two. */
export interface MultisigConfig {
  readonly enabled: boolean
  readonly required_signatures: number
  readonly total_signers: number
  /** In whole coins of whichever coin is withdrawn, unless `threshold_amounts` has an entry for that coin. */
  readonly threshold_amount: string
  readonly threshold_amounts: readonly {
    readonly network: string
    readonly coin: string
    readonly amount: string
  }[]
  /** Only they count above the threshold; none means every approver does. */
  readonly signers: readonly MultisigSigner[]
  /** Roles of `signers` of which at least one must be among those who sign. */
  readonly required_roles: readonly string[]
}

/** From `from` whole coins up, at least so many confirmations. Several that match: the highest holds. */
export interface PolicyTier {
  readonly network: string
  readonly coin: string
  readonly from: string
  readonly confirmations: number
}

export const RISK_FACTORS = ['amount', 'destination', 'frequency', 'geography', 'behaviour'] as const
export type RiskFactorName = (typeof RISK_FACTORS)[number]

export interface Policy {
  readonly limits: { readonly merchant: readonly CoinLimit[]; readonly user: readonly CoinLimit[] }
  readonly multisig_config: MultisigConfig
  readonly confirmation_tiers: readonly PolicyTier[]
  readonly risk: {
    /** Scores above it are reviewed by a person; 0 to 100. */
    readonly threshold: number
    /** Share of each factor's 0 to 100 in the score; 0 to 1. */
    readonly weights: Readonly<Record<RiskFactorName, number>>
    /** ISO 3166-1 alpha-2. */
    readonly high_risk_countries: readonly string[]
  }
  readonly whitelist: { readonly mode: 'off' | 'required' }
  /** Who releases a deposit that was set aside: 1, a reviewer alone; 2, two others approve it as well. */
  readonly held_deposits: { readonly release_approvals: 1 | 2 }
}

/** What is asked to hold; a part, or a part of `limits` and `risk`, that is left out stays as it is. */
export interface PolicyUpdate {
  readonly limits?: Partial<Policy['limits']>
  readonly multisig_config?: MultisigConfig
  readonly confirmation_tiers?: readonly PolicyTier[]
  readonly risk?: Partial<Omit<Policy['risk'], 'weights'>> & {
    readonly weights?: Partial<Policy['risk']['weights']>
  }
  readonly whitelist?: Policy['whitelist']
  readonly held_deposits?: Policy['held_deposits']
}

/** What holds until a merchant decides otherwise: two people for everything, no limits, no whitelist. */
export const DEFAULT_POLICY: Policy = {
  limits: { merchant: [], user: [] },
  multisig_config: {
    enabled: false,
    required_signatures: 2,
    total_signers: 0,
    threshold_amount: '0',
    threshold_amounts: [],
    signers: [],
    required_roles: [],
  },
  confirmation_tiers: [],
  risk: {
    threshold: 80,
    weights: { amount: 0.25, destination: 0.25, frequency: 0.2, geography: 0.15, behaviour: 0.15 },
    high_risk_countries: [],
  },
  whitelist: { mode: 'off' },
  held_deposits: { release_approvals: 1 },
}
