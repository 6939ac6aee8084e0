// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Moves native coin and tokens in all the ways that a scanner can get wrong.
contract TransferLab {
    event Noise(uint256 value);

    receive() external payable {}

    function pay(address payable to, uint256 value) public payable {
        (bool paid, ) = to.call{value: value}("");
        require(paid, "not paid");
    }

    /// Three internal payments, two of them to one address, with a log between.
    function payThree(address payable first, address payable second) external payable {
        pay(first, 1);
        emit Noise(1);
        pay(second, 2);
        pay(first, 3);
    }

    /// Two token transfers with logs of no concern around them.
    function payTokens(address token, address to, uint256 first, uint256 second) external {
        emit Noise(1);
        callTransfer(token, to, first);
        emit Noise(2);
        callTransfer(token, to, second);
        callTransfer(token, to, 0);
    }

    function payAndRevert(address payable to, uint256 value) external payable {
        pay(to, value);
        revert("changed my mind");
    }

    /// An inner call pays and is undone; the transaction succeeds and pays 1 wei after it.
    function payAndSwallow(address payable to, uint256 value) external payable {
        try this.payAndRevert{value: value}(to, value) {} catch {}
        pay(to, 1);
    }

    /// The delegate call shows the whole value of this call, and moves only what it pays itself.
    function payByDelegate(address code, address payable to, uint256 value) external payable {
        (bool paid, ) = code.delegatecall(abi.encodeCall(this.pay, (to, value)));
        require(paid, "not paid");
    }

    function destructTo(address payable to) external payable {
        new Destructed{value: msg.value}().go(to);
    }

    function callTransfer(address token, address to, uint256 value) private {
        (bool done, ) = token.call(abi.encodeWithSignature("transfer(address,uint256)", to, value));
        require(done, "not transferred");
    }
}

contract Destructed {
    constructor() payable {}

    function go(address payable to) external {
        selfdestruct(to);
    }
}

/// Keeps a tenth, and logs that before the payment itself.
contract FeeToken {
    mapping(address => uint256) public balanceOf;
    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor() {
        balanceOf[msg.sender] = 1e18;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        balanceOf[msg.sender] -= value;
        balanceOf[address(this)] += value / 10;
        balanceOf[to] += value - value / 10;
        emit Transfer(msg.sender, address(this), value / 10);
        emit Transfer(msg.sender, to, value - value / 10);
        return true;
    }
}

/// Answers false, or true without moving anything, instead of reverting.
contract LyingToken {
    mapping(address => uint256) public balanceOf;
    bool public answer;

    constructor() {
        balanceOf[msg.sender] = 1e18;
    }

    function setAnswer(bool value) external {
        answer = value;
    }

    function transfer(address, uint256) external view returns (bool) {
        return answer;
    }
}

/// Who is paid, and how much, is decided by the block that the transaction is mined in.
contract PaysByBlock {
    receive() external payable {}

    function pay(address payable even, address payable odd) external payable {
        (bool paid, ) = (block.number % 2 == 0 ? even : odd).call{value: 1e17 + block.number}("");
        require(paid, "not paid");
    }

    function payToken(address token, address even, address odd) external {
        (bool done, ) = token.call(
            abi.encodeWithSignature("transfer(address,uint256)", block.number % 2 == 0 ? even : odd, 1e6 + block.number)
        );
        require(done, "not transferred");
    }
}
