/** Defines a merchant's policy: limits, signatures, confirmations, risk and whitelist. Amounts are decimal strings in whole coins. */

/** The most that may leave within a rolling window, in one coin of one network. `null` means no limit. */
export interface CoinLimit {
  readonly network: string
  readonly coin: string
  /** Limit of 24 hours. */
  readonly daily: string | null
  /** Limit of 30 days. */
  readonly monthly: string | null
}

/** A person who may sign for large amounts. */
export interface MultisigSigner {
  /** Id of the approver's registration. */
  readonly id: string
  /** Registered key: base64 or `0x` hex of its 32 bytes. */
  readonly public_key: string
  readonly role: string
}

/** Signatures of large amounts. At or below `threshold_amount` two people sign, above it more may have to. */
export interface MultisigConfig {
  readonly enabled: boolean
  readonly required_signatures: number
  readonly total_signers: number
  /** Threshold in whole coins of the coin that is withdrawn, unless `threshold_amounts` has an entry for it. */
  readonly threshold_amount: string
  readonly threshold_amounts: readonly {
    readonly network: string
    readonly coin: string
    readonly amount: string
  }[]
  /** Persons whose approvals count above the threshold. Empty: every approver's approval counts. */
  readonly signers: readonly MultisigSigner[]
  /** Roles of `signers`, each of which at least one signing person must have. */
  readonly required_roles: readonly string[]
}

/** Confirmations that an amount from `from` whole coins up needs. Of several that match the highest applies. */
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
    /** Score from 0 to 100 above which a person reviews a withdrawal. */
    readonly threshold: number
    /** Share of each factor's 0 to 100 in the score, from 0 to 1. */
    readonly weights: Readonly<Record<RiskFactorName, number>>
    /** Countries by their ISO 3166-1 alpha-2 codes. */
    readonly high_risk_countries: readonly string[]
  }
  readonly whitelist: { readonly mode: 'off' | 'required' }
  /** Approvals of a held deposit's release. 1: a reviewer alone. 2: two other people approve it as well. */
  readonly held_deposits: { readonly release_approvals: 1 | 2 }
  /** By how much payments may miss their amount, where the request for one does not say. The greater allowance counts. */
  readonly payments: {
    /** Percent of the amount, at least 0 and below 100. */
    readonly tolerance_percent: string
    readonly tolerance_absolute: readonly {
      readonly network: string
      readonly coin: string
      /** Whole coins. */
      readonly amount: string
    }[]
  }
}

/** An update of the policy. A part, or a part of `limits` and `risk`, that is left out stays as it is. */
export interface PolicyUpdate {
  readonly limits?: Partial<Policy['limits']>
  readonly multisig_config?: MultisigConfig
  readonly confirmation_tiers?: readonly PolicyTier[]
  readonly risk?: Partial<Omit<Policy['risk'], 'weights'>> & {
    readonly weights?: Partial<Policy['risk']['weights']>
  }
  readonly whitelist?: Policy['whitelist']
  readonly held_deposits?: Policy['held_deposits']
  readonly payments?: Partial<Policy['payments']>
}

/** Policy of a merchant who has set none: two people for everything, no limits, no whitelist. */
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
  payments: { tolerance_percent: '0', tolerance_absolute: [] },
}
