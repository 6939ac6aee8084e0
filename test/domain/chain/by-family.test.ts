/** Choices by chain family: each family gets its own case, and a family without a case does not compile. */

import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  byAdapterFamily,
  type ChainAdapter,
  type EvmAdapter,
  type UtxoAdapter,
} from '../../../chains/adapter.js'
import { byFamily } from '../../../domain/chain/by-family.js'
import type { EvmNetwork, Network, UtxoNetwork } from '../../../domain/chain/network.js'
import type { EvmPayload, Payload } from '../../../domain/signing/signer-protocol.js'

const utxo = { family: 'utxo', script: 'p2wpkh' } as Network
const evm = { family: 'evm', chainId: 31337 } as Network

describe('a choice by chain family', () => {
  it('runs the case of the network’s family alone', () => {
    const choose = (network: Network) =>
      byFamily(network, { utxo: ({ script }) => script, evm: ({ chainId }) => chainId })
    expect(choose(utxo)).toBe('p2wpkh')
    expect(choose(evm)).toBe(31337)
  })

  it('runs the case of the adapter’s family alone', () => {
    const choose = (adapter: ChainAdapter) =>
      byAdapterFamily(adapter, { utxo: (each) => each.network.script, evm: (each) => each.network.chainId })
    expect(choose({ network: utxo } as ChainAdapter)).toBe('p2wpkh')
    expect(choose({ network: evm } as ChainAdapter)).toBe(31337)
  })

  it('narrows each case to its family and joins the results', () => {
    const result = byFamily(evm, {
      utxo: (network) => {
        expectTypeOf(network).toEqualTypeOf<UtxoNetwork>()
        return 'text'
      },
      evm: (network) => {
        expectTypeOf(network).toEqualTypeOf<EvmNetwork>()
        return 1
      },
    })
    expectTypeOf(result).toEqualTypeOf<string | number>()
    byFamily({ family: 'evm' } as Payload, {
      utxo: () => undefined,
      evm: (payload) => expectTypeOf(payload).toEqualTypeOf<EvmPayload>(),
    })
    byAdapterFamily({ network: evm } as ChainAdapter, {
      utxo: (adapter) => expectTypeOf(adapter).toEqualTypeOf<UtxoAdapter>(),
      evm: (adapter) => expectTypeOf(adapter).toEqualTypeOf<EvmAdapter>(),
    })
  })

  it('does not compile where a family has no case', () => {
    type ThreeFamilies = Network | { readonly family: 'third'; readonly slot: number }
    const three = evm as ThreeFamilies
    // @ts-expect-error The case of `third` is missing.
    byFamily(three, { utxo: () => 1, evm: () => 2 })
    // @ts-expect-error The case of `utxo` is missing.
    byFamily(evm, { evm: () => 2 })
    // @ts-expect-error The case of `utxo` is missing.
    byAdapterFamily({ network: evm } as ChainAdapter, { evm: () => 2 })
    expect(byFamily(three, { utxo: () => 1, evm: () => 2, third: ({ slot }) => slot })).toBe(2)
  })
})
