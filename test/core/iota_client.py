"""A process of its own with IOTA's own client; prints what it got from a node as JSON."""

import json
import sys

from iota_sdk import Client, Node, Utils


def main(url: str, token: str, tag: str, data: str, raw: str) -> None:
    client = Client(nodes=[Node(url=url, jwt=token).as_dict()])
    posted, built = client.build_and_post_block(tag=tag, data=data)
    again = client.post_block_raw(list(bytes.fromhex(raw)))
    found = client.find_blocks([posted, again])
    print(
        json.dumps(
            {
                'health': client.get_health(url),
                'info': client.get_info().nodeInfo.protocol.networkName,
                'tips': client.get_tips(),
                'posted': posted,
                'parents': built.parents,
                'nonce': built.nonce,
                'built_id': Utils.block_id(built),
                'block': client.get_block_data(posted).as_dict() | {'payload': None},
                'raw': bytes(client.get_block_raw(posted)).hex(),
                'metadata': client.get_block_metadata(posted).__dict__,
                'posted_raw': again,
                'found': [Utils.block_id(block) for block in found],
                'peers': [peer['alias'] for peer in client.get_peers()],
            }
        )
    )


if __name__ == '__main__':
    main(*sys.argv[1:])
