import { expect, test } from 'vitest'
import { localNetworks } from '../../local/stack/local-networks.js'

const merchant = { id: 'mer_1', api_key: 'key_1', api_secret: 's' }

function chosen(state: Parameters<typeof localNetworks>[0], wanted?: string) {
  const said: string[] = []
  return { networks: [...localNetworks(state, (line) => said.push(line), wanted)], said }
}

test('a new home has every network, or those that are asked for', () => {
  expect(chosen({}).networks).toEqual(['bitcoin', 'litecoin', 'polygon'])
  expect(chosen({}, 'ethereum, polygon')).toEqual({ networks: ['polygon'], said: [] })
  expect(chosen({}, '').networks).toEqual([])
})

test('a network that a home was not made with stays out, and is named', () => {
  expect(chosen({ merchant })).toEqual({
    networks: ['bitcoin'],
    said: [
      'Left out: litecoin (what is kept here was made without it; --fresh starts anew)',
      'Left out: polygon (what is kept here was made without it; --fresh starts anew)',
    ],
  })
  const all = ['ethereum', 'bitcoin', 'litecoin', 'polygon']
  expect(chosen({ merchant, networks: all }).networks).toEqual(['bitcoin', 'litecoin', 'polygon'])
})

test('a name that is no local network is refused', () => {
  expect(() => chosen({}, 'dogecoin')).toThrow('dogecoin is none of ethereum, bitcoin')
})
