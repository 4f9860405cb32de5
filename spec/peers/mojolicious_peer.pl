#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# A peer with Mojolicious that obeys orders.   mojolicious_peer.pl server | client URL
# A server prints its ports: plain, TLS.
use Mojolicious::Lite -signatures;
use Mojo::IOLoop;
use Mojo::Server::Daemon;
use Mojo::UserAgent;
use Mojo::Util qw(decode);

use constant { CONTINUATION => 0, TEXT => 1, BINARY => 2, PING => 9, PONG => 10 };

app->log->level('warn');
my $control;

sub report ($text) { $control->send($text) }

sub frame ($tx, $fin, $opcode, $payload) { $tx->send([$fin, 0, 0, 0, $opcode, $payload]) }

my %orders = (
  ping      => sub ($tx, $data) { frame($tx, 1, PING, $data) },
  fragments => sub ($tx, $kind) {
    my $binary = $kind eq 'binary';
    my @parts = $binary ? ("\0", "\x01\xfe", "\xff") : ('frag ', 'ment ', 'ed');
    frame($tx, 0, $binary ? BINARY : TEXT, $parts[0]);
    frame($tx, 0, CONTINUATION, $parts[1]);
    frame($tx, 1, CONTINUATION, $parts[2]);
  },
  split => sub ($tx, $) {    # the three bytes of one character
    frame($tx, 0, TEXT, "\xe2");
    frame($tx, 1, PING, 'between');
    frame($tx, 1, CONTINUATION, "\x82\xac");
  },
  close => sub ($tx, $rest) {
    my ($code, $reason) = $rest =~ /^(\d*) ?(.*)$/;
    $tx->finish($code ? ($code, decode('UTF-8', $reason)) : ());
  },
  terminate => sub ($tx, $) { Mojo::IOLoop->remove($tx->connection) },
);

sub obey ($tx) {
  $tx->max_websocket_size(4 * 1024 * 1024);
  $tx->on(text => sub ($tx, $bytes) {
    if ($bytes =~ /^!(\w+) ?(.*)$/s) { $orders{$1}->($tx, $2) }
    else { $tx->send({text => $bytes}) }
  });
  $tx->on(binary => sub ($tx, $bytes) { $tx->send({binary => $bytes}) });
  $tx->on(frame => sub ($tx, $frame) {
    $tx->send({text => "pong $frame->[5]"}) if $frame->[4] == PONG;
  });
  $tx->on(finish => sub ($tx, $code, $reason) { report("closed $code " . ($reason // '')) });
}

# ------------------------------------------------------------------ server

websocket '/control' => sub ($c) {
  $c->inactivity_timeout(0);
  $control = $c->tx;
  $c->on(message => sub { });
};

websocket '/obey' => sub ($c) {
  $c->tx->with_compression;
  $c->tx->with_protocols('chat.v1');
  $c->rendered(101);
  obey($c->tx);
};

sub serve () {
  my $tls = 'cert=build/certs/server.pem&key=build/certs/leaf.key';
  state $daemon = Mojo::Server::Daemon->new(
    app    => app,
    silent => 1,
    listen => ['http://127.0.0.1:0', "https://127.0.0.1:0?$tls"]
  );
  $daemon->start;
  $| = 1;
  print "@{$daemon->ports}\n";
}

# ------------------------------------------------------------------ client

sub open_one ($ua, $url, $protocols) {
  my $headers = {'Sec-WebSocket-Extensions' => 'permessage-deflate'};
  $ua->websocket($url => $headers => [split /,/, $protocols] => sub ($ua, $tx) {
    return obey($tx) if $tx->is_websocket;
    my $error = $tx->error // {message => 'no WebSocket'};
    report('failed ' . ($error->{code} // '') . " $error->{message}");
  });
}

sub run_client ($url) {
  my $ua = Mojo::UserAgent->new(ca => 'build/certs/root.pem', inactivity_timeout => 0);
  $ua->websocket("$url/control" => sub ($ua, $tx) {
    $control = $tx;
    $tx->on(message => sub ($tx, $order) {
      my (undef, $target, $protocols) = split / /, $order, 3;
      open_one($ua, $target, $protocols);
    });
    $tx->on(finish => sub { exit });
  });
  return $ua;
}

my $kept = $ARGV[0] eq 'server' ? serve : run_client($ARGV[1]);
Mojo::IOLoop->start;
